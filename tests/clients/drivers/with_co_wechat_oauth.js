'use strict';
const OAuth = require('co-wechat-oauth');
const { APPID, SECRET, run } = require('./library');

const oauth = new OAuth(APPID, SECRET);

run({
  package: 'co-wechat-oauth',
  authorizeUrl: (redirectUri, scope, state) => oauth.getAuthorizeURL(redirectUri, state, scope),
  exchange: async (code) => (await oauth.getAccessToken(code)).data,
  refresh: async (refreshToken) => (await oauth.refreshAccessToken(refreshToken)).data,
  userinfo: (accessToken, openid) => {
    const data = { access_token: accessToken, create_at: Date.now(), expires_in: 7200 };
    return new OAuth(APPID, SECRET, async () => data).getUser(openid);
  },
  auth: async (accessToken, openid) => (await oauth.verifyToken(openid, accessToken)).errcode === 0,
  errcodeOf: (error) => error.code,
});
