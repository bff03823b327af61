// An HTTP server that has part of each answer computed by libuv's threads.
const http = require('http');
const crypto = require('crypto');
http.createServer((request, response) => {
  crypto.pbkdf2('hello', 'salt', 10, 32, 'sha256', () => response.end('hello\n'));
}).listen(Number(process.argv[2]), '127.0.0.1');
