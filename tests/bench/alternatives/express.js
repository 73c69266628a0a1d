// The usual sample: Express and axios. With DATABASE_URL it also stores the tokens in PostgreSQL by pg.
const http = require('http');
const https = require('https');
const fs = require('fs');
const cluster = require('cluster');
const express = require('express');
const axios = require('axios');

const workers = Number(process.env.WORKERS || 1);

function serve() {
  const ca = process.env.CA_FILE ? fs.readFileSync(process.env.CA_FILE) : undefined;
  const wechat = axios.create({
    baseURL: process.env.UPSTREAM,
    httpAgent: new http.Agent({ keepAlive: true, maxSockets: 128 }),
    httpsAgent: new https.Agent({ keepAlive: true, maxSockets: 128, ca }),
  });
  let pool = null;
  if (process.env.DATABASE_URL) {
    const { Pool } = require('pg');
    pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
  }

  const app = express();
  app.use(express.json());
  app.post('/getCode', async (request, response) => {
    const { data } = await wechat.get('/sns/oauth2/access_token', {
      params: { appid: 'wx', secret: 'secret', code: request.body.code, grant_type: 'authorization_code' },
    });
    if (pool) {
      await pool.query(
        `INSERT INTO tokens (openid, access_token, refresh_token, scope, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (openid) DO UPDATE SET access_token = excluded.access_token,
           refresh_token = excluded.refresh_token, scope = excluded.scope, expires_at = excluded.expires_at`,
        [data.openid, data.access_token, data.refresh_token, data.scope, Math.floor(Date.now() / 1000) + data.expires_in]
      );
    }
    response.json({ openid: data.openid, scope: data.scope });
  });
  app.listen(Number(process.env.PORT), '127.0.0.1');
}

if (workers > 1 && cluster.isPrimary) {
  for (let i = 0; i < workers; i += 1) cluster.fork();
} else {
  serve();
}
