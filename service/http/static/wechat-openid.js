/*
 * wechat-openid.js: an H5 page in WeChat's browser asks who its visitor is. ES5 and Promise; no dependency.
 *
 * WechatOpenid.login, userinfo, logout, config and getWebOpenId(code) give promises. One that is rejected has an Error
 * with the members of the service's refusal, or an `error` of this file: see docs/h5.md.
 */
(function (window, document) {
  'use strict';

  var WIDE = 'snsapi_userinfo';
  var DECLINED = 'authdeny';
  var OUR_STATE = /^[0-9a-f]{64}$/;
  var WECHATS_CODE = /^(authdeny|[0-9A-Za-z_-]{20,128})$/i;
  var KEPT = 'wechat-openid:';
  var MOST_ROUNDS = 2;
  var ROUNDS_COUNT_FOR = 5 * 60 * 1000;
  var ID_TOKEN_GOOD_FOR = 4 * 60 * 1000;
  var TAP_GOOD_FOR = 1000;
  var GIVE_UP_AFTER = 15000;
  var NO_ERROR_FOR = 2000;

  var location = window.location;
  var home = homeOfThisScript();
  var memory = {};
  var posts = {};
  var arrived = null;
  var leaving = null;
  var waiting = [];
  var tappedAt = 0;
  var landed = here();
  var onConfigError = null;

  function homeOfThisScript() {
    var scripts = document.currentScript ? [document.currentScript] : document.getElementsByTagName('script');
    for (var i = scripts.length - 1; i >= 0; i--) {
      var match = /^(.*)\/wechat-openid\.js([?#].*)?$/.exec(scripts[i].src);
      if (match) { return match[1]; }
    }
    return location.origin;
  }

  function failure(reply) {
    var error = new Error(reply.errmsg || reply.error);
    for (var name in reply) { error[name] = reply[name]; }
    return error;
  }

  function fail(kind, text) {
    return Promise.reject(failure({ error: kind, errmsg: text }));
  }

  // What must outlive the way to WeChat and back, as text: no caller changes what another gets. Where storage is
  // blocked nothing outlives it, and no round is repeated.
  function recall(name) {
    var text = memory[name];
    try { text = window.sessionStorage.getItem(KEPT + name) || text; } catch (e) { /* then this page's own */ }
    try { return JSON.parse(text); } catch (e) { return null; }
  }

  function keep(name, value) {
    memory[name] = JSON.stringify(value);
    try {
      window.sessionStorage.setItem(KEPT + name, memory[name]);
      return true;
    } catch (e) { return false; }
  }

  function optionsOf(given) {
    given = given || {};
    return {
      server: given.server ? String(given.server).replace(/\/$/, '') : home,
      scope: given.scope, appid: given.appid, id_token: given.id_token, nonce: given.nonce
    };
  }

  function accountOf(options) { return options.server + '|' + (options.appid || ''); }

  function valueOf(pair) {
    try { return decodeURIComponent(pair.slice(pair.indexOf('=') + 1)); } catch (e) { return ''; }
  }

  // WeChat puts its answer before the hash (/?code=…#/route); some routers move it behind (/#/route?code=…).
  // Parameters of the page's own that are called code or state are none: an answer has a state of the service, or the
  // code that the page says.
  function answerIn(where, code) {
    var part = location[where];
    var start = part.indexOf('?');
    var pairs = start < 0 ? [] : part.slice(start + 1).split('&');
    var codeAt = -1;
    var stateAt = -1;
    pairs.forEach(function (pair, at) {
      var value = valueOf(pair);
      if (/^code=/.test(pair) && (code ? value === code : WECHATS_CODE.test(value))) { codeAt = at; }
      if (/^state=/.test(pair) && (code ? codeAt >= 0 && codeAt === at - 1 : OUR_STATE.test(value))) { stateAt = at; }
    });
    if ((code ? codeAt : stateAt) < 0) { return null; }
    var kept = pairs.filter(function (_, at) { return at !== codeAt && at !== stateAt; }).join('&');
    return {
      code: codeAt < 0 ? DECLINED : valueOf(pairs[codeAt]), state: stateAt < 0 ? '' : valueOf(pairs[stateAt]),
      where: where, rest: part.slice(0, start) + (kept && '?' + kept)
    };
  }

  function answerOf(code) { return answerIn('search', code) || answerIn('hash', code); }

  function pathWithout(answer) {
    var where = answer && answer.where;
    // A browser that finds no hash in a redirect keeps the one of WeChat's own address.
    var hash = location.hash === '#wechat_redirect' ? '' : location.hash;
    return location.pathname + (where === 'search' ? answer.rest : location.search) +
      (where === 'hash' ? answer.rest : hash);
  }

  // A spent code in the address would be posted again by a reload, and travel with a shared link.
  function strip(answer) {
    var path = pathWithout(answer);
    try { window.history.replaceState(window.history.state, '', path); } catch (e) { /* then it stays */ }
  }

  function request(server, method, path, body) {
    return new Promise(function (resolve, reject) {
      var call = new XMLHttpRequest();
      call.open(method, server + path);
      call.withCredentials = true;
      call.timeout = GIVE_UP_AFTER;
      call.onload = function () {
        var reply = {};
        try { reply = JSON.parse(call.responseText || '{}'); } catch (e) { reply.error = 'network'; }
        if (call.status >= 200 && call.status < 300 && !reply.error) { resolve(reply); } else { reject(failure(reply)); }
      };
      call.onerror = call.ontimeout = function () {
        reject(failure({ error: 'network', errmsg: 'the service cannot be reached from this page' }));
      };
      if (body) { call.setRequestHeader('Content-Type', 'application/json'); }
      call.send(body ? JSON.stringify(body) : null);
    });
  }

  function nothing() {}

  // Each code is posted once; who asks again, also after a reload from a cache, gets the same reply.
  function exchange(answer, options) {
    var account = accountOf(options);
    var earlier = repliesOf(account).filter(function (one) {
      return one.code === answer.code && proves(one, options);
    })[0];
    if (earlier) { return Promise.resolve(earlier.reply); }
    var name = JSON.stringify([account, answer.code, !!options.id_token, options.nonce]);
    if (!posts[name]) {
      // The service answers a repeated post to a browser that it knows: by its state, or by a first cookie.
      var first = OUR_STATE.test(answer.state) ? Promise.resolve()
        : request(options.server, 'POST', '/session').then(null, nothing);
      posts[name] = first.then(function () {
        return request(options.server, 'POST', '/getCode', {
          code: answer.code, state: answer.state, appid: options.appid, id_token: options.id_token, nonce: options.nonce
        });
      }).then(function (reply) {
        remember(account, { code: answer.code, nonce: options.nonce, reply: reply, at: Date.now() });
        keep('rounds:' + account, null);
        return JSON.stringify(reply);
      });
      var done = function () { delete posts[name]; };
      posts[name].then(done, done);
    }
    return posts[name].then(function (text) { return JSON.parse(text); });
  }

  // The newest reply for each scope.
  function repliesOf(account) { return (recall('replies') || {})[account] || []; }

  function proves(known, options) {
    return !options.id_token || (known.reply.id_token && known.nonce === options.nonce &&
      Date.now() - known.at < ID_TOKEN_GOOD_FOR);
  }

  function grants(reply, options) {
    return options.scope !== WIDE || /\bsnsapi_(userinfo|login)\b/.test(reply.scope);
  }

  function isWide(known) { return grants(known.reply, { scope: WIDE }); }

  function remember(account, known) {
    var all = recall('replies') || {};
    all[account] = [known].concat(repliesOf(account).filter(function (one) { return isWide(one) !== isWide(known); }));
    keep('replies', all);
  }

  function forget(server) {
    var all = recall('replies') || {};
    for (var account in all) { if (account.indexOf(server + '|') === 0) { delete all[account]; } }
    keep('replies', all);
  }

  function known(options) {
    return repliesOf(accountOf(options)).filter(function (one) {
      return grants(one.reply, options) && proves(one, options);
    })[0];
  }

  function decline(answer, options) {
    keep('rounds:' + accountOf(options), null);
    if (OUR_STATE.test(answer.state) && !answer.isTold) {
      answer.isTold = true;
      request(options.server, 'POST', '/getCode', { code: DECLINED, state: answer.state, appid: options.appid })
        .then(null, nothing);
    }
    return fail('access_denied', 'the visitor declined');
  }

  function tapped() {
    return window.navigator.userActivation ? window.navigator.userActivation.isActive
      : Date.now() - tappedAt < TAP_GOOD_FOR;
  }

  function leave(options, cause) {
    var account = accountOf(options);
    var wide = options.scope === WIDE;
    var rounds = recall('rounds:' + account);
    var count = rounds && Date.now() - rounds.at < ROUNDS_COUNT_FOR && !tapped() ? rounds.count : 0;
    // WeChat may show a page that asks without a tap as a snapshot, whose visitor is nobody.
    if (wide && !tapped()) {
      return cause ? Promise.reject(cause) : fail('tap_needed', 'call login in the handler of a tap to ask for the profile');
    }
    // Who asks while the page is being left for the same comes along.
    var along = leaving && Date.now() - leaving.at < GIVE_UP_AFTER && leaving.account === account;
    if (!along || (wide && !leaving.wide)) {
      if (count >= MOST_ROUNDS) {
        return cause ? Promise.reject(cause) : fail('loop', 'two authorizations in a row came to nothing');
      }
      if (!keep('rounds:' + account, { count: count + 1, at: Date.now() }) && cause) { return Promise.reject(cause); }
      keep('asked', options);
      leaving = { account: account, wide: wide, at: Date.now() };
      var page = location.origin + pathWithout(answerOf());
      var url = options.server + '/authorize?redirect_uri=' + encodeURIComponent(page) +
        (options.scope ? '&scope=' + encodeURIComponent(options.scope) : '') +
        (options.appid ? '&appid=' + encodeURIComponent(options.appid) : '');
      // The silent way leaves no entry that the back button could fall into; the consent page can be gone back from.
      if (wide) { location.assign(url); } else { location.replace(url); }
    }
    return new Promise(function (resolve, reject) {
      waiting.push({ resolve: resolve, reject: reject, options: options });
    });
  }

  // The answer in the address is that of the account that a call left for, whichever call on the page comes first.
  function takeAnswer(options) {
    var answer = answerOf();
    if (!answer) { return; }
    strip(answer);
    var asked = recall('asked') || options;
    keep('asked', null);
    if (accountOf(asked) === accountOf(options)) { asked = options; }
    arrived = { account: accountOf(asked), answer: answer, reply: redeem(answer, asked) };
    var done = function () { arrived = null; };
    arrived.reply.then(done, done);
  }

  function redeem(answer, options) {
    return String(answer.code).toLowerCase() === DECLINED ? decline(answer, options) : exchange(answer, options);
  }

  function knownOrLeave(options) {
    var reply = known(options);
    return reply ? reply.reply : leave(options);
  }

  function login(given) {
    return new Promise(function (resolve) {
      var options = optionsOf(given);
      takeAnswer(options);
      if (!arrived) {
        resolve(knownOrLeave(options));
      } else if (arrived.account === accountOf(options)) {
        // The same code gives each caller the identity token that it asks for.
        resolve(redeem(arrived.answer, options).then(function (reply) {
          return grants(reply, options) ? reply : leave(options);
        }, function (error) {
          return error.error === 'reauthorize' ? leave(options, error) : Promise.reject(error);
        }));
      } else {
        var go = function () { return knownOrLeave(options); };
        resolve(arrived.reply.then(go, go));
      }
    });
  }

  function userinfo(given) {
    var lang = given && given.lang;
    var server = optionsOf(given).server;
    var path = '/userinfo' + (lang ? '?lang=' + encodeURIComponent(lang) : '');
    return request(server, 'GET', path).then(null, function (error) {
      if (error.error === 'reauthorize') { forget(server); }
      throw error;
    });
  }

  function logout(given) {
    var server = optionsOf(given).server;
    forget(server);
    return request(server, 'DELETE', '/session');
  }

  function getWebOpenId(code) {
    var options = optionsOf();
    var answer = answerOf(code) || { code: code, state: '' };
    var reply = redeem(answer, options);
    if (answer.where) { strip(answer); }
    return reply.then(function (content) { return { result: content }; });
  }

  function here() { return location.href.split('#')[0]; }

  function loadSdk(from) {
    return new Promise(function (resolve, reject) {
      if (window.wx || !from) { resolve(); return; }
      var script = document.createElement('script');
      script.onload = resolve;
      script.onerror = function () { reject(failure({ error: 'network' })); };
      script.src = from === true ? 'https://res.wx.qq.com/open/js/jweixin-1.6.0.js' : from;
      document.head.appendChild(script);
    });
  }

  function configure(url, given, options) {
    return request(options.server, 'GET', '/jssdk/config?url=' + encodeURIComponent(url) +
      (options.appid ? '&appid=' + encodeURIComponent(options.appid) : '')).then(function (signed) {
      return new Promise(function (resolve, reject) {
        var wx = window.wx;
        var isFirst = !onConfigError;
        onConfigError = function (result) { reject(failure({ error: 'config', errmsg: result.errMsg })); };
        signed.debug = given.debug;
        signed.jsApiList = given.jsApiList || [];
        signed.openTagList = given.openTagList;
        wx.config(signed);
        if (isFirst) {
          wx.error(function (result) { onConfigError(result); });
          wx.ready(resolve); // also after a failure, which was told first
        } else { setTimeout(resolve, NO_ERROR_FOR); } // wx.ready tells of the first only
      });
    });
  }

  // WeChat wants the address signed at which the page landed on iPhones, elsewhere the current one; mostly.
  function config(given) {
    given = given || {};
    var options = optionsOf(given);
    return loadSdk(given.load).then(function () {
      var urls = [here(), landed];
      if (/iP(hone|ad|od)/.test(window.navigator.userAgent)) { urls.reverse(); }
      return configure(urls[0], given, options).then(null, function (error) {
        if (urls[0] === urls[1] || !/invalid signature/.test(error.errmsg)) { throw error; }
        return configure(urls[1], given, options);
      });
    }).then(nothing);
  }

  ['click', 'touchend', 'keydown'].forEach(function (name) {
    document.addEventListener(name, function (event) {
      if (event.isTrusted !== false) { tappedAt = Date.now(); }
    }, true);
  });

  // The page comes back from the cache as it was when it was left: with promises that nothing would settle.
  window.addEventListener('pageshow', function (event) {
    if (!event.persisted) { return; }
    var left = waiting;
    waiting = [];
    leaving = null;
    left.forEach(function (one) {
      var reply = known(one.options);
      if (reply) { one.resolve(reply.reply); } else {
        one.reject(failure({ error: 'cancelled', errmsg: 'the visitor came back without authorizing' }));
      }
    });
  });

  window.WechatOpenid = { login: login, userinfo: userinfo, logout: logout, config: config };
  if (!window.getWebOpenId) { window.getWebOpenId = getWebOpenId; }
})(window, document);
