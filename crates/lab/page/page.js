// What every page of the lab does, whoever introduces it to the others: camera and microphone, one
// RTCPeerConnection a pair as in any textbook, and reports of what it saw, once a second, to the
// relay. The call itself is in another script, which defines `begin()` and `heard(message)`.
//
// The address ends in `#` and these options as JSON: `relay` (ws://…), `name`, `width`, `height`,
// `fps`, `maxBitrate` (bit/s a stream, 0 for none), `iceServers`, `relayOnly`, `show` (whether the
// pictures are on the page, as in any call; without it they are decoded only).

/** How often figures are told, in ms. */
const TELL_EVERY = 1000;
/** The statistics that are passed on. */
const TOLD = new Set(['inbound-rtp', 'outbound-rtp', 'candidate-pair', 'transport', 'codec']);

const options = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const peers = new Map();
const relay = new WebSocket(options.relay);
const say = (message) => relay.send(JSON.stringify(message));
const unixMs = () => performance.timeOrigin + performance.now();
const fail = (error) => say({ type: 'failed', reason: String(error?.stack ?? error) });
/** Peer → [[RTP timestamp, Unix ms], …] of the pictures given to the compositor since told last. */
let shown = {};
let media;

addEventListener('error', ({ message }) => fail(message));
addEventListener('unhandledrejection', ({ reason }) => fail(reason));

const pictures = new Worker(
  URL.createObjectURL(new Blob([document.getElementById('pictures').textContent])),
);
pictures.onmessage = ({ data }) => {
  if (data.error) fail(data.error);
  else say({ type: 'pictures', seen: data.seen, shown });
  shown = {};
};
pictures.onerror = ({ message }) => fail(message);

relay.onopen = async () => {
  const { width, height, fps, name } = options;
  media = await navigator.mediaDevices.getUserMedia({
    video: { width, height, frameRate: fps },
    // Neither side of a comparison treats its voice: the others hear a file.
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  watch('self', media.getVideoTracks()[0]);
  if (options.show) show('self', media, true);
  say({ type: 'ready', name });
};
relay.onmessage = ({ data }) => heard(JSON.parse(data));

/** A connection to a peer; `candidate` is called with each of the own candidates. */
function connect(id, candidate) {
  const pc = new RTCPeerConnection({
    iceServers: options.iceServers,
    iceTransportPolicy: options.relayOnly ? 'relay' : 'all',
  });
  peers.set(id, pc);
  for (const track of media.getTracks()) {
    const sender = pc.addTrack(track, media);
    if (track.kind !== 'video' || !options.maxBitrate) continue;
    const parameters = sender.getParameters();
    parameters.encodings[0].maxBitrate = options.maxBitrate;
    sender.setParameters(parameters).catch(fail);
  }
  pc.onicecandidate = (event) => {
    if (event.candidate) candidate(event.candidate);
  };
  pc.onconnectionstatechange = () =>
    say({ type: 'state', peer: id, state: pc.connectionState, at: unixMs() });
  pc.ontrack = ({ track, streams: [stream] }) => {
    if (track.kind === 'video') watch(id, track);
    if (track.kind === 'video' && options.show) show(id, stream, false);
    if (track.kind === 'audio' && !options.show) hear(stream);
  };
  return pc;
}

/** Puts the codecs of these types first, in this order. */
function prefer(pc, kind, ...types) {
  const { codecs } = RTCRtpReceiver.getCapabilities(kind);
  const rank = ({ mimeType }) => (types.indexOf(mimeType) + types.length + 1) % (types.length + 1);
  const ordered = codecs.toSorted((one, other) => rank(one) - rank(other));
  for (const transceiver of pc.getTransceivers()) {
    if (transceiver.receiver.track.kind === kind) transceiver.setCodecPreferences(ordered);
  }
}

/** Has the numbers in a track's pictures read. */
function watch(stream, track) {
  const { readable } = new MediaStreamTrackProcessor({ track, maxBufferSize: 4 });
  pictures.postMessage({ stream, readable }, [readable]);
}

function show(id, stream, muted) {
  const video = document.createElement('video');
  Object.assign(video, { id, srcObject: stream, muted, autoplay: true });
  document.body.append(video);
  const note = (_, { rtpTimestamp, presentationTime }) => {
    if (rtpTimestamp !== undefined) {
      (shown[id] ??= []).push([rtpTimestamp, performance.timeOrigin + presentationTime]);
    }
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
}

function hear(stream) {
  const audio = document.createElement('audio');
  Object.assign(audio, { srcObject: stream, autoplay: true });
  document.body.append(audio);
}

setInterval(async () => {
  for (const [peer, pc] of peers) {
    const at = unixMs();
    const stats = [...(await pc.getStats()).values()].filter(({ type }) => TOLD.has(type));
    say({ type: 'stats', peer, at, stats });
  }
}, TELL_EVERY);
