'use strict';
// Connections to WeChat's hosts lead to the simulator; nothing of a library is changed.

const net = require('node:net');

const HOSTS = new Set(['api.weixin.qq.com', 'open.weixin.qq.com']);
const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (HOSTS.has(options.host)) {
    Object.assign(options, { host: '127.0.0.1', port: Number(process.env.SIMULATOR_PORT) });
  }
  return connect.apply(this, args);
};
