// The demo page: sends its visitor to WeChat, posts the code that comes back, and shows the service's reply.
(function () {
  'use strict';

  var page = document.documentElement;
  var status = document.getElementById('status');
  var facts = document.getElementById('facts');

  function authorize(scope) {
    // WeChat matches the order of these parameters strictly.
    location.href = page.dataset.authorizeUrl +
      '?appid=' + encodeURIComponent(page.dataset.appid) +
      '&redirect_uri=' + encodeURIComponent(location.origin + location.pathname) +
      '&response_type=code&scope=' + scope + '&state=demo#wechat_redirect';
  }

  function fact(name, value) {
    var term = document.createElement('dt');
    var definition = document.createElement('dd');
    term.textContent = name;
    definition.textContent = value;
    facts.append(term, definition);
  }

  function show(reply, ok) {
    document.getElementById('reply-section').hidden = false;
    document.getElementById('reply-text').textContent = JSON.stringify(reply, null, 2);
    status.classList.toggle('failed', !ok);
    if (!ok) {
      status.textContent = '授权失败 · failed: ' + reply.errmsg;
      return;
    }
    status.textContent = '已授权 · authorized';
    facts.hidden = false;
    fact('openid', reply.openid);
    fact('scope', reply.scope);
    if (reply.unionid) {
      fact('unionid', reply.unionid);
    }
  }

  function exchange(code) {
    status.textContent = '正在换取 openid… · exchanging the code…';
    fetch('/getCode', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ code: code })
    }).then(function (response) {
      return response.json().then(function (reply) {
        show(reply, response.ok);
      });
    }).catch(function () {
      status.textContent = '无法连接服务 · the service cannot be reached';
      status.classList.add('failed');
    });
  }

  document.querySelectorAll('button[data-scope]').forEach(function (button) {
    button.addEventListener('click', function () {
      authorize(button.dataset.scope);
    });
  });

  var query = new URLSearchParams(location.search);
  if (query.has('code')) {
    // Used codes must not stay in the address: a reload or a shared link would post them again.
    history.replaceState(null, '', location.pathname);
    exchange(query.get('code'));
  } else if (query.has('state')) {
    history.replaceState(null, '', location.pathname);
    status.textContent = '用户拒绝了授权 · the visitor declined';
  }
})();
