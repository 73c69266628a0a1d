'use strict';
const { promisify } = require('node:util');
const OAuth = require('wechat-oauth');
const { APPID, SECRET, run } = require('./library');

const oauth = new OAuth(APPID, SECRET);
const [exchange, refresh, verify] = ['getAccessToken', 'refreshAccessToken', 'verifyToken'].map((name) =>
  promisify(oauth[name]).bind(oauth)
);

run({
  package: 'wechat-oauth',
  authorizeUrl: (redirectUri, scope, state) => oauth.getAuthorizeURL(redirectUri, state, scope),
  exchange: async (code) => (await exchange(code)).data,
  refresh: async (refreshToken) => (await refresh(refreshToken)).data,
  userinfo: (accessToken, openid) => {
    const data = { access_token: accessToken, create_at: Date.now(), expires_in: 7200 };
    const client = new OAuth(APPID, SECRET, (_, callback) => callback(null, data));
    return promisify(client.getUser).call(client, openid);
  },
  auth: async (accessToken, openid) => (await verify(openid, accessToken)).errcode === 0,
  errcodeOf: (error) => error.code,
});
