'use strict';
const Strategy = require('passport-wechat');
const authenticate = require('./strategy');
const { APPID, SECRET, REDIRECT_URI, run } = require('./library');

const strategy = new Strategy(
  { appID: APPID, appSecret: SECRET, callbackURL: REDIRECT_URI },
  (accessToken, refreshToken, profile, expiresIn, done) =>
    done(null, { access_token: accessToken, refresh_token: refreshToken, ...profile })
);

run({
  package: 'passport-wechat',
  authorizeUrl: (redirectUri, scope, state) => authenticate(strategy, {}, { callbackURL: redirectUri, scope, state }),
  exchange: (code) => authenticate(strategy, { code, state: '1' }),
  asksProfileWithTokens: true,
  errcodeOf: (error) => error.code,
});
