// A textbook call in a mesh, introduced by the relay: VP8, trickle ICE, no tricks. Whoever comes
// later offers.

async function heard(message) {
  switch (message.type) {
    case 'welcome':
      say({ type: 'joined', at: unixMs() });
      for (const id of message.peers) await offer(id);
      break;
    case 'description':
      await described(message.from, message.body);
      break;
    case 'candidate':
      await peers.get(message.from)?.addIceCandidate(message.body);
      break;
  }
}

const meet = (id) => connect(id, (body) => say({ type: 'candidate', to: id, body }));

async function offer(id) {
  const pc = meet(id);
  await describe(id, pc);
}

async function described(id, description) {
  const pc = peers.get(id) ?? meet(id);
  await pc.setRemoteDescription(description);
  if (description.type === 'offer') await describe(id, pc);
}

async function describe(id, pc) {
  prefer(pc, 'video', 'video/VP8');
  await pc.setLocalDescription();
  say({ type: 'description', to: id, body: pc.localDescription });
}
