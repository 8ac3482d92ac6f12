// A participant of a Quartet call, as docs/protocol.md has it, in a browser: to show that what ours
// send is right for another decoder. Without reconnecting, and for one epoch.
//
// Further options: `server` (ws://…/ws), `room`, `secret`, `red` (whether copies of voice packets are wanted).
// The relay says `view` with a `height` in pixels, which is passed on to everybody.

/** In ms; what the protocol asks for. */
const PING_EVERY = 2000;

/** Peer → the epoch of its connection, and the channel to it. */
const pairs = new Map();
/** Own candidates must not come before the description. */
const described = new Set();
let server;
let own;
let key;

const tell = (message) => server.send(JSON.stringify(message));

function heard(message) {
  if (message.type === 'welcome') enter();
  if (message.type === 'view') {
    const text = JSON.stringify({ type: 'view', height: message.height });
    for (const { channel } of pairs.values()) channel.send(text);
  }
}

function enter() {
  key = authenticationKey(options.secret);
  server = new WebSocket(options.server);
  server.onopen = () => tell({ type: 'hello', version: 2, client: 'quartet-lab/page' });
  server.onmessage = ({ data }) => answer(JSON.parse(data)).catch(fail);
  server.onclose = () => fail('the signalling server is gone');
  setInterval(() => tell({ type: 'ping', nonce: 1 }), PING_EVERY);
}

async function answer(message) {
  switch (message.type) {
    case 'hello':
      tell({
        type: 'join',
        room: options.room,
        key: base64url(crypto.getRandomValues(new Uint8Array(16))),
        name: options.name,
        media: { muted: false, camera_off: false },
      });
      break;
    case 'welcome':
      own = message.you;
      say({ type: 'joined', at: unixMs() });
      for (const { id } of message.peers) await met(id);
      break;
    case 'peer_joined':
      await met(message.peer.id);
      break;
    case 'description':
      await describedBy(message);
      break;
    case 'candidate':
      await peers.get(message.from)?.addIceCandidate(message.candidate);
      break;
    case 'negotiate':
      // Only whoever offers is asked, and once is enough here.
      if (!peers.has(message.from)) await describe(message.from, meet(message.from, 1));
      break;
    case 'error':
      fail(`${message.code}: ${message.message}`);
      break;
  }
}

/** The one with the lower id offers. */
async function met(id) {
  if (own < id && !peers.has(id)) await describe(id, meet(id, 1));
}

function meet(id, epoch) {
  const waiting = [];
  const send = ({ candidate, sdpMid, sdpMLineIndex, usernameFragment }) =>
    tell({
      type: 'candidate',
      to: id,
      epoch: pairs.get(id).epoch,
      candidate: { candidate, sdpMid, sdpMLineIndex, usernameFragment },
    });
  const pc = connect(id, (candidate) => {
    if (described.has(id)) send(candidate);
    else waiting.push(candidate);
  });
  const channel = pc.createDataChannel('quartet', { negotiated: true, id: 0 });
  pairs.set(id, { epoch, channel, release: () => waiting.splice(0).forEach(send) });
  return pc;
}

async function describedBy({ from, epoch, kind, sdp, proof }) {
  const pc = peers.get(from) ?? meet(from, epoch);
  const other = certificateOf(sdp);
  if (kind === 'offer') pairs.get(from).replyTo = { mac: proof.mac, other };
  await pc.setRemoteDescription({ type: kind, sdp: options.red ? copiesFirst(sdp) : sdp });
  if (kind === 'offer') return describe(from, pc);
  const pair = { epoch, from: own, to: from, own: certificateOf(pc.localDescription.sdp), other };
  const statement = { about: 3, ...pair, replyTo: proof.word };
  tell({ type: 'confirm', to: from, epoch, proof: await prove(await key, statement) });
}

async function describe(id, pc) {
  prefer(pc, 'video', 'video/VP8');
  if (options.red) prefer(pc, 'audio', 'audio/red', 'audio/opus');
  await pc.setLocalDescription();
  const { type, sdp } = pc.localDescription;
  const { epoch, release, replyTo } = pairs.get(id);
  const about = type === 'offer' ? 1 : 2;
  const pair = { epoch, from: own, to: id, own: certificateOf(sdp), other: replyTo?.other };
  const proof = await prove(await key, { about, ...pair, replyTo: replyTo?.mac, sdp });
  tell({ type: 'description', to: id, epoch, kind: type, sdp, proof });
  described.add(id);
  release();
}

/** Chromium sends copies only to whoever names them before Opus. */
function copiesFirst(sdp) {
  const [, red] = /^a=rtpmap:(\d+) red\/48000/m.exec(sdp);
  return sdp.replace(/^(m=audio \d+ \S+) (.*)$/m, (_, head, types) =>
    [head, red, ...types.split(' ').filter((type) => type !== red)].join(' '),
  );
}

function base64url(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
