/*
 * wechat-openid.js: an H5 page in WeChat's browser asks who its visitor is. ES5 and Promise; no dependency.
 *
 *   WechatOpenid.login({server, scope, appid, id_token, nonce})  the reply of POST /getCode, by way of WeChat if need be
 *   WechatOpenid.userinfo({lang})                                the visitor's profile
 *   WechatOpenid.logout()                                        ends the session
 *   getWebOpenId(code)                                           {result: reply}, for pages that get their code themselves
 *
 * A promise is rejected with an Error that has the members of the service's refusal (error, errcode, errmsg,
 * authorize_url …), or with an `error` of this file: access_denied, tap_needed, loop, cancelled, network.
 */
(function (window, document) {
  'use strict';

  var WIDE = 'snsapi_userinfo';
  var OUR_STATE = /^[0-9a-f]{64}$/;
  var MOST_ROUNDS = 2;
  var ROUNDS_COUNT_FOR = 5 * 60 * 1000;
  var ID_TOKEN_GOOD_FOR = 4 * 60 * 1000;
  var TAP_GOOD_FOR = 1000;
  var GIVE_UP_AFTER = 15000;

  var location = window.location;
  var server = homeOfThisScript();
  var memory = {};
  var posts = {};
  var left = null;
  var tappedAt = 0;

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

  // What must outlive the way to WeChat and back. Where storage is blocked nothing does, and no round is repeated.
  function recall(name) {
    try { return JSON.parse(window.sessionStorage.getItem('wechat-openid:' + name)); } catch (e) { return memory[name]; }
  }

  function keep(name, value) {
    memory[name] = value;
    try {
      window.sessionStorage.setItem('wechat-openid:' + name, JSON.stringify(value));
      return true;
    } catch (e) { return false; }
  }

  // WeChat puts `code` before the hash (/?code=…#/route); some routers move it behind (/#/route?code=…).
  function parameter(name) {
    var pattern = new RegExp('[?&]' + name + '=([^&#]*)');
    var match = pattern.exec(location.search) || pattern.exec(location.hash);
    return match ? decodeURIComponent(match[1]) : '';
  }

  function withoutAnswer(part) {
    var at = part.indexOf('?');
    if (at < 0) { return part; }
    var kept = part.slice(at + 1).split('&').filter(function (pair) { return !/^(code|state)=/.test(pair); });
    return part.slice(0, at) + (kept.join('&') ? '?' + kept.join('&') : '');
  }

  function cleanPath() {
    // A browser that finds no hash in a redirect keeps the one of WeChat's own address.
    var hash = location.hash === '#wechat_redirect' ? '' : withoutAnswer(location.hash);
    return location.pathname + withoutAnswer(location.search) + hash;
  }

  // A spent code in the address would be posted again by a reload, and travel with a shared link.
  function stripAnswer() {
    try { window.history.replaceState(window.history.state, '', cleanPath()); } catch (e) { /* then it stays */ }
  }

  function request(method, path, body) {
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

  // Each code is posted once; whoever asks again, also after a reload from a cache, gets the same reply.
  function exchange(code, state, options) {
    var known = recall('reply');
    if (known && known.code === code) { return Promise.resolve(known.reply); }
    if (!posts[code]) {
      posts[code] = request('POST', '/getCode', {
        code: code, state: state, appid: options.appid, id_token: options.id_token, nonce: options.nonce
      }).then(function (reply) {
        keep('reply', { code: code, appid: options.appid, nonce: options.nonce, reply: reply, at: Date.now() });
        keep('rounds', null);
        return reply;
      });
      var done = function () { delete posts[code]; };
      posts[code].then(done, done);
    }
    return posts[code];
  }

  function suits(known, options) {
    return known && known.appid === options.appid &&
      (options.scope !== WIDE || known.reply.scope.split(',').indexOf(WIDE) >= 0) &&
      (!options.id_token || (known.reply.id_token && known.nonce === options.nonce &&
        Date.now() - known.at < ID_TOKEN_GOOD_FOR));
  }

  function tapped() {
    return window.navigator.userActivation ? window.navigator.userActivation.isActive
      : Date.now() - tappedAt < TAP_GOOD_FOR;
  }

  function leave(options, cause) {
    var rounds = recall('rounds');
    var count = rounds && Date.now() - rounds.at < ROUNDS_COUNT_FOR && !tapped() ? rounds.count : 0;
    // WeChat may show a page that asks without a tap as a snapshot, whose visitor is nobody.
    if (options.scope === WIDE && !tapped()) {
      return cause ? Promise.reject(cause) : fail('tap_needed', 'call login in the handler of a tap to ask for the profile');
    }
    if (count >= MOST_ROUNDS) {
      return cause ? Promise.reject(cause) : fail('loop', 'two authorizations in a row came to nothing');
    }
    if (!keep('rounds', { count: count + 1, at: Date.now() }) && cause) { return Promise.reject(cause); }
    var url = server + '/authorize?redirect_uri=' + encodeURIComponent(location.origin + cleanPath()) +
      '&scope=' + encodeURIComponent(options.scope) +
      (options.appid ? '&appid=' + encodeURIComponent(options.appid) : '');
    // The silent way leaves no entry that the back button could fall into; the consent page can be gone back from.
    if (options.scope === WIDE) { location.assign(url); } else { location.replace(url); }
    return new Promise(function (resolve, reject) { left = { resolve: resolve, reject: reject, options: options }; });
  }

  function login(given) {
    given = given || {};
    var options = { scope: given.scope || 'snsapi_base', appid: given.appid, id_token: given.id_token,
      nonce: given.nonce };
    if (given.server) { server = given.server.replace(/\/$/, ''); }
    var code = parameter('code');
    var state = parameter('state');
    if (code) {
      stripAnswer();
      return exchange(code, state, options).then(null, function (error) {
        return error.error === 'reauthorize' ? leave(options, error) : Promise.reject(error);
      });
    }
    if (OUR_STATE.test(state)) {
      stripAnswer();
      keep('rounds', null);
      return fail('access_denied', 'the visitor declined');
    }
    for (var underWay in posts) { return posts[underWay]; }
    var known = recall('reply');
    return suits(known, options) ? Promise.resolve(known.reply) : leave(options);
  }

  function userinfo(options) {
    var lang = options && options.lang;
    return request('GET', '/userinfo' + (lang ? '?lang=' + encodeURIComponent(lang) : '')).then(null, function (error) {
      if (error.error === 'reauthorize') { keep('reply', null); }
      throw error;
    });
  }

  function logout() {
    keep('reply', null);
    posts = {};
    return request('DELETE', '/session');
  }

  function getWebOpenId(code) {
    var state = parameter('code') === code ? parameter('state') : '';
    var reply = exchange(code, state, {});
    stripAnswer();
    return reply.then(function (content) { return { result: content }; });
  }

  ['click', 'touchend', 'keydown'].forEach(function (name) {
    document.addEventListener(name, function (event) {
      if (event.isTrusted !== false) { tappedAt = Date.now(); }
    }, true);
  });

  // The page comes back from the cache as it was when it was left: with a promise that nothing would settle.
  window.addEventListener('pageshow', function (event) {
    var waiting = left;
    if (!event.persisted || !waiting) { return; }
    left = null;
    var known = recall('reply');
    if (suits(known, waiting.options)) { waiting.resolve(known.reply); } else {
      waiting.reject(failure({ error: 'cancelled', errmsg: 'the visitor came back without authorizing' }));
    }
  });

  window.WechatOpenid = { login: login, userinfo: userinfo, logout: logout };
  if (!window.getWebOpenId) { window.getWebOpenId = getWebOpenId; }
})(window, document);
