// The demo page: what a page does with wechat-openid.js, and all that it gets to see.
(function () {
  'use strict';

  var MESSAGES = {
    access_denied: '用户拒绝了授权 · the visitor declined',
    cancelled: '未完成授权就返回了 · came back without authorizing',
    upgrade_scope: '获取头像昵称需要用户同意 · the profile needs the visitor’s consent',
    snapshot_user: '快照页的虚拟身份，没有头像昵称 · a snapshot page’s virtual identity has no profile',
    network: '无法连接服务 · the service cannot be reached'
  };

  function element(id) {
    return document.getElementById(id);
  }

  function say(text, failed) {
    element('status').textContent = text;
    element('status').classList.toggle('failed', Boolean(failed));
  }

  function log(title, content) {
    var entry = document.createElement('li');
    var heading = document.createElement('h3');
    var text = document.createElement('pre');
    heading.textContent = title;
    text.textContent = JSON.stringify(content, null, 2);
    entry.append(heading, text);
    element('log').prepend(entry);
    element('nothing').hidden = true;
  }

  function showVisitor(openid) {
    element('name').textContent = '已授权 · signed in';
    element('openid').textContent = openid;
    element('picture').textContent = '✓';
    element('log-out').hidden = false;
  }

  function showProfile(profile) {
    element('name').textContent = profile.nickname;
    element('picture').textContent = Array.from(profile.nickname)[0] || '?';
    if (profile.headimgurl) {
      var picture = new Image();
      picture.alt = '';
      picture.referrerPolicy = 'no-referrer';
      picture.onload = function () {
        element('picture').replaceChildren(picture);
      };
      picture.src = profile.headimgurl;
    }
  }

  function showFailure(error) {
    var received = {};
    Object.keys(error).forEach(function (name) { received[name] = error[name]; });
    log('错误 · error', received);
    say(MESSAGES[error.error] || '授权失败 · failed: ' + error.message, true);
  }

  function loadProfile() {
    return WechatOpenid.userinfo({ lang: 'zh_CN' }).then(function (profile) {
      log('GET /userinfo', profile);
      showProfile(profile);
      say('已获取头像昵称 · the visitor showed their profile');
    });
  }

  function login(scope) {
    say('正在授权… · authorizing…');
    WechatOpenid.login({ scope: scope }).then(function (reply) {
      log('POST /getCode', reply);
      showVisitor(reply.openid);
      say('只得到 openid，没有打扰用户 · the openid, without asking the visitor');
      return reply.scope === 'snsapi_userinfo' ? loadProfile() : undefined;
    }).catch(showFailure);
  }

  function showErrorOfTheAddress(query) {
    var received = {};
    query.forEach(function (value, name) { received[name] = value; });
    history.replaceState(null, '', location.pathname);
    showFailure(Object.assign(new Error(received.error_description), received));
  }

  function showSession() {
    fetch('/session').then(function (response) {
      return response.ok ? response.json() : undefined;
    }).then(function (session) {
      if (session) {
        log('GET /session', session);
        showVisitor(session.openid);
        say('浏览器已有会话 · this browser has a session');
      }
    }).catch(showFailure);
  }

  function configureSdk() {
    var calls = ['updateAppMessageShareData', 'scanQRCode'];
    WechatOpenid.config({ jsApiList: calls, load: element('sdk').dataset.script }).then(function () {
      wx.scanQRCode({
        complete: function (result) {
          log('wx.config', { jsApiList: calls, scanQRCode: result.errMsg });
          say('wx.config 成功：可以分享、扫码 · wx.config succeeded: the page may share and scan');
        }
      });
    }).catch(showFailure);
  }

  function logOut() {
    WechatOpenid.logout().then(function () {
      log('DELETE /session', {});
      element('name').textContent = '已退出 · logged out';
      element('openid').textContent = '';
      element('picture').textContent = '?';
      element('log-out').hidden = true;
      say('');
    }).catch(showFailure);
  }

  element('silent').addEventListener('click', function () { login('snsapi_base'); });
  element('profile').addEventListener('click', function () { login('snsapi_userinfo'); });
  element('sdk').addEventListener('click', configureSdk);
  element('log-out').addEventListener('click', logOut);
  element('no-script').href = '/authorize?flow=callback&redirect_uri=' + encodeURIComponent(location.origin + '/');

  var query = new URLSearchParams(location.search);
  if (query.has('code') || query.has('state')) {
    login('snsapi_base');
  } else if (query.has('error')) {
    showErrorOfTheAddress(query);
  } else {
    showSession();
  }
})();
