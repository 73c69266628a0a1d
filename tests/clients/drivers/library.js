'use strict';
// Takes a Node library through the steps of web authorization, and prints as JSON what works; see library.py.

const assert = require('node:assert');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');

const { APPID, SECRET, PERSON, OPENID, NICKNAME } = process.env;
const REDIRECT_URI = 'https://h5.example.com/callback?from=page';
const STATE = 'from-page_1.2=3';
const AUTHORIZE_URL = 'https://open.weixin.qq.com/connect/oauth2/authorize';
const MADE_UP = '0'.repeat(32);

function location(method, url, form) {
  const headers = { Cookie: `simulator_person=${PERSON}`, 'Content-Type': 'application/x-www-form-urlencoded' };
  return new Promise((resolve, reject) => {
    const request = https.request(url, { method, headers, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.headers.location));
    });
    request.on('error', reject);
    request.end(form && new URLSearchParams(form).toString());
  });
}

// The browser: opens the authorize page, allows if asked, and returns the parameters that come back.
async function visit(url) {
  assert(url.startsWith(AUTHORIZE_URL + '?'), url);
  const back = (await location('GET', url)) || (await location('POST', url, { person: PERSON, answer: 'allow' }));
  assert(back, 'the authorize page shows an error');
  return Object.fromEntries(new URL(back).searchParams);
}

async function newCode(scope = 'snsapi_userinfo') {
  const query = { appid: APPID, redirect_uri: REDIRECT_URI, response_type: 'code', scope, state: '1' };
  return (await visit(`${AUTHORIZE_URL}?${new URLSearchParams(query)}`)).code;
}

function steps(driver) {
  let grant;
  async function meets(expected, step, ...args) {
    if (!driver[step]) return;
    let met;
    try {
      await driver[step](...args);
    } catch (error) {
      met = driver.errcodeOf(error);
    }
    assert.strictEqual(met, expected);
  }
  return {
    async authorize() {
      const back = await visit(await driver.authorizeUrl(REDIRECT_URI, 'snsapi_userinfo', STATE));
      assert.deepStrictEqual(Object.keys(back).sort(), ['code', 'from', 'state']);
      assert.strictEqual(back.state, STATE);
    },
    async exchange() {
      grant = await driver.exchange(await newCode());
      assert.strictEqual(grant.openid, OPENID);
      assert(grant.refresh_token);
    },
    async refresh() {
      assert.strictEqual((await driver.refresh(grant.refresh_token)).access_token, grant.access_token);
    },
    async userinfo() {
      const profile = driver.userinfo ? await driver.userinfo(grant.access_token, OPENID) : grant;
      assert.strictEqual(profile.nickname, NICKNAME);
    },
    async auth() {
      assert(await driver.auth(grant.access_token, OPENID));
    },
    async errcodes() {
      const used = await newCode();
      await driver.exchange(used);
      await meets(40029, 'exchange', MADE_UP);
      await meets(40163, 'exchange', used);
      await meets(40030, 'refresh', MADE_UP);
      await meets(40001, 'userinfo', MADE_UP, OPENID);
    },
  };
}

function has(driver, step) {
  if (step === 'userinfo' && driver.asksProfileWithTokens) return true;
  return Boolean(driver[{ authorize: 'authorizeUrl', errcodes: 'errcodeOf' }[step] || step]);
}

async function run(driver) {
  const all = steps(driver);
  const results = {};
  for (const step of Object.keys(all)) {
    if (!has(driver, step)) continue;
    try {
      await all[step]();
      results[step] = null;
    } catch (error) {
      results[step] = String(error);
    }
  }
  const manifest = path.join(__dirname, '..', 'node_modules', driver.package, 'package.json');
  const { version } = JSON.parse(fs.readFileSync(manifest, 'utf8'));
  process.stdout.write(JSON.stringify({ version, steps: results }), () => process.exit(0));
}

module.exports = { APPID, SECRET, REDIRECT_URI, run };
