// The proofs of docs/protocol.md, «Trust», with WebCrypto. It makes them, and does not look at those
// that come: what is shown here is how ours decode.

const utf8 = (text) => new TextEncoder().encode(text);
const absent = new Uint8Array(32);
const nonce = crypto.getRandomValues(new Uint8Array(32));

function unbase64url(text) {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function bytesOf(hex) {
  return Uint8Array.from(hex.match(/[0-9a-f]{2}/gi), (byte) => parseInt(byte, 16));
}

function certificateOf(sdp) {
  return bytesOf(/a=fingerprint:sha-256 (\S+)/.exec(sdp)[1]);
}

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

async function joined(...parts) {
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function authenticationKey(secret) {
  const material = await crypto.subtle.importKey('raw', unbase64url(secret), 'HKDF', false, [
    'deriveBits',
  ]);
  const how = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: utf8('quartet auth 1') };
  const bits = await crypto.subtle.deriveBits(how, material, 256);
  return crypto.subtle.importKey('raw', bits, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
}

/** `about`: 1 offer, 2 answer, 3 confirm. `other`, `replyTo` and `sdp` may be missing. */
async function prove(key, { about, epoch, from, to, own, other, replyTo, sdp }) {
  const word = about === 1 ? await sha256(await joined(utf8('quartet commitment 1'), nonce)) : nonce;
  const statement = await joined(
    utf8('quartet proof 1'),
    Uint8Array.of(about, epoch >>> 24, epoch >>> 16, epoch >>> 8, epoch),
    bytesOf(from),
    bytesOf(to),
    own,
    other ?? absent,
    word,
    replyTo ? unbase64url(replyTo) : absent,
    sdp === undefined ? absent : await sha256(utf8(sdp)),
  );
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, statement));
  return { word: base64url(word), mac: base64url(mac) };
}
