'use strict';
const Strategy = require('passport-weixin');
const authenticate = require('./strategy');
const { APPID, SECRET, REDIRECT_URI, run } = require('./library');

const strategy = new Strategy(
  {
    clientID: APPID,
    clientSecret: SECRET,
    callbackURL: REDIRECT_URI,
    scope: 'snsapi_userinfo',
    authorizationURL: 'https://open.weixin.qq.com/connect/oauth2/authorize',
  },
  (accessToken, refreshToken, profile, done) =>
    done(null, { access_token: accessToken, refresh_token: refreshToken, ...profile._json })
);

run({
  package: 'passport-weixin',
  authorizeUrl: (redirectUri, scope, state) => authenticate(strategy, {}, { callbackURL: redirectUri, scope, state }),
  exchange: (code) => authenticate(strategy, { code, state: '1' }),
  asksProfileWithTokens: true,
});
