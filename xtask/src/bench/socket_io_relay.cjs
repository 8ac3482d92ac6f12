// The same relay as `quartet-server`, as one would write it with socket.io: rooms of four, who
// comes and goes is told, candidates go to one participant of the same room. For
// `cargo xtask bench server` only. Its first line says where it listens, as the other's does.

'use strict';

const { createServer } = require('node:http');
const { Server } = require('socket.io');

const ROOM_CAPACITY = 4;
const MAX_CANDIDATE_BYTES = 1024;

const http = createServer();
// No polling first, no compression: as fast as it can be.
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });
/** Rooms by their id; in each, the participants by theirs. */
const rooms = new Map();

io.on('connection', (socket) => {
  let room;
  let you;
  socket.on('join', ({ room: id, id: own, name, media }, answer) => {
    const members = rooms.get(id) ?? new Map();
    if (room || typeof name !== 'string' || members.size >= ROOM_CAPACITY) return socket.disconnect();
    room = id;
    you = own;
    const peers = [...members.values()].map((member) => member.info);
    members.set(you, { socket, info: { id: you, name, media } });
    rooms.set(room, members);
    socket.to(room).emit('peer_joined', { peer: members.get(you).info });
    socket.join(room);
    answer({ you, peers, ice_servers: [] });
  });
  socket.on('candidate', ({ to, epoch, candidate }) => {
    const member = rooms.get(room)?.get(to);
    const texts = [candidate.candidate, candidate.sdpMid, candidate.usernameFragment];
    if (!member || texts.some((text) => text?.length > MAX_CANDIDATE_BYTES)) return;
    member.socket.emit('candidate', { from: you, epoch, candidate });
  });
  socket.on('disconnect', () => {
    const members = rooms.get(room);
    if (!members?.delete(you)) return;
    io.to(room).emit('peer_left', { peer: you });
    if (members.size === 0) rooms.delete(room);
  });
});

http.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ event: 'listening', url: `http://127.0.0.1:${http.address().port}` }));
});
