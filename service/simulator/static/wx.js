/*
 * The simulator's script `wx`, in the place of WeChat's JS-SDK: wx.config asks the simulator whether the signature is
 * good, and wx.ready, wx.error and the calls behave as WeChat's do, in every browser. ES5; no dependency.
 *
 * As with WeChat's script, functions given to wx.ready are called when a configuration has ended, well or not, and at
 * once from then on; wx.error's is called when one failed.
 */
(function (window, document) {
  'use strict';

  var CALLS = [
    'updateAppMessageShareData', 'updateTimelineShareData', 'onMenuShareTimeline', 'onMenuShareAppMessage',
    'chooseImage', 'previewImage', 'uploadImage', 'downloadImage', 'getNetworkType', 'openLocation', 'getLocation',
    'hideOptionMenu', 'showOptionMenu', 'hideMenuItems', 'showMenuItems', 'closeWindow', 'scanQRCode', 'chooseWXPay'
  ];

  var home = document.currentScript.src.replace(/\/open\/js\/[^/]*$/, '');
  var landing = landingAddress();
  var options = {};
  var allowed = [];
  var ended = false;
  var failure = null;
  var waiting = [];
  var tellFailure = null;

  // The address that the document was asked for by, whatever the page has made of it since.
  function landingAddress() {
    var entries = window.performance && performance.getEntriesByType ? performance.getEntriesByType('navigation') : [];
    return entries.length ? entries[0].name : location.href;
  }

  function withoutHash(address) { return address.split('#')[0]; }

  function end(given, result) {
    var isGood = result.errMsg === 'config:ok';
    if (options.debug) { window.alert(JSON.stringify(result)); }
    allowed = isGood ? given.jsApiList || [] : [];
    ended = true;
    failure = isGood ? null : result;
    if (failure && tellFailure) { tellFailure(failure); }
    waiting.splice(0).forEach(function (ready) { ready(); });
  }

  function config(given) {
    var asked = {
      appid: given.appId, noncestr: given.nonceStr, timestamp: given.timestamp, signature: given.signature,
      landing: withoutHash(landing), current: withoutHash(location.href)
    };
    var query = Object.keys(asked).map(function (name) { return name + '=' + encodeURIComponent(asked[name]); });
    var call = new XMLHttpRequest();
    options = given;
    call.open('GET', home + '/simulator/wx-config?' + query.join('&'));
    call.onload = function () { end(given, JSON.parse(call.responseText)); };
    call.onerror = function () { end(given, { errMsg: 'config:fail' }); };
    call.send();
  }

  function answer(given, result) {
    var isGood = /:ok$/.test(result.errMsg);
    setTimeout(function () {
      if (isGood && given.success) { given.success(result); }
      if (!isGood && given.fail) { given.fail(result); }
      if (given.complete) { given.complete(result); }
    });
  }

  var wx = {
    config: config,
    ready: function (callback) { if (ended) { callback(); } else { waiting.push(callback); } },
    error: function (callback) {
      tellFailure = callback;
      if (failure) { callback(failure); }
    },
    checkJsApi: function (given) {
      var result = {};
      (given.jsApiList || []).forEach(function (name) { result[name] = CALLS.indexOf(name) >= 0; });
      answer(given, { errMsg: 'checkJsApi:ok', checkResult: result });
    }
  };

  CALLS.forEach(function (name) {
    wx[name] = function (given) {
      answer(given || {}, { errMsg: name + (allowed.indexOf(name) < 0 ? ':permission denied' : ':ok') });
    };
  });

  if (!window.wx) { window.wx = window.jWeixin = wx; }
})(window, document);
