// Socket.IO as a fan-out: whatever is posted goes to everyone in the room.
//
// node fanout.js 127.0.0.1:PORT
import http from 'node:http';
import { Server } from 'socket.io';
import { listen } from './door.js';

const server = http.createServer();
// No compression and no polling: the cheapest that it offers.
const io = new Server(server, { transports: ['websocket'], perMessageDeflate: false, httpCompression: false });
io.on('connection', (socket) => socket.join('room'));

server.on('request', (request, response) => {
  if (request.method !== 'POST' || request.url !== '/pub') return;
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    io.to('room').emit('bid', JSON.parse(Buffer.concat(parts).toString()));
    response.writeHead(202, { 'Content-Length': 0 }).end();
  });
});
listen(server, process.argv[2]);
