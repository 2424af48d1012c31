/** The bound: Node's HTTP server that keeps nothing. It drops what is put, and answers each get with the same block. */
import { createServer } from 'node:http';
import { BLOCK_SIZE } from '../../dist/base/constants.js';

const block = Buffer.alloc(BLOCK_SIZE, 7);

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.end(block);
    return;
  }
  request.resume().once('end', () => {
    response.writeHead(201, { 'Content-Length': 2 }).end('{}');
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
process.once('SIGTERM', () => process.exit());
