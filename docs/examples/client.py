#!/usr/bin/env python3
"""A member of a Quartet call in Python: an example of docs/protocol.md.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python client.py http://HOST:PORT/j#SECRET --name Py

It sends a moving picture and a tone, and once a second prints what it gets from everybody, as a line
of JSON. It comes without retries, devices and a screen: those are yours to add.
"""

import argparse
import asyncio
import base64
import fractions
import hashlib
import hmac
import json
import math
import re
import secrets
from urllib.parse import urlsplit

import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.sdp import candidate_from_sdp
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from websockets.asyncio.client import connect

PROTOCOL_VERSION = 2
PING_SECONDS = 2
RATE = 48_000


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def certificate(sdp: str) -> bytes:
    """The one that a description names: every line with the word says the same."""
    lines = {line for line in re.split("[\r\n]", sdp) if "fingerprint" in line.lower()}
    digits = "(?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}"
    named = [re.fullmatch(f"a=fingerprint:sha-256 ({digits})", line) for line in lines]
    found = {bytes.fromhex(it[1].replace(":", "")) for it in named if it}
    if not all(named) or len(found) != 1:
        raise ValueError("the description does not name one certificate")
    return found.pop()


OFFER, ANSWER, CONFIRM = 1, 2, 3
ABSENT = bytes(32)


def prove(auth, about, epoch, sender, to, own, other, word, reply_to, sdp) -> bytes:
    """The `mac` of what is said here: see «Trust»."""
    statement = b"quartet proof 1" + bytes([about]) + epoch.to_bytes(4, "big")
    statement += bytes.fromhex(sender) + bytes.fromhex(to) + own + other + word + reply_to
    statement += ABSENT if sdp is None else hashlib.sha256(sdp.encode()).digest()
    return hmac.digest(auth, statement, "sha256")


class MovingPicture(VideoStreamTrack):
    """A grey slope that wanders over the picture."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        row = bytes((x + pts // 1000) % 256 for x in range(320))
        frame = av.VideoFrame(320, 180, "yuv420p")
        for plane, content in zip(frame.planes, (row, bytes([128] * 160), bytes([128] * 160))):
            padded = content.ljust(plane.line_size, b"\0")
            plane.update(padded * plane.height)
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(MediaStreamTrack):
    """A sine, 20 ms at a time."""

    kind = "audio"

    def __init__(self, hz: int):
        super().__init__()
        self.hz, self.samples, self.start = hz, 0, None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.start = self.start or loop.time()
        await asyncio.sleep(self.start + self.samples / RATE - loop.time())
        places = range(self.samples, self.samples + RATE // 50)
        wave = (int(8000 * math.sin(math.tau * self.hz * place / RATE)) for place in places)
        frame = av.AudioFrame("s16", "mono", len(places))
        frame.planes[0].update(b"".join(s.to_bytes(2, "little", signed=True) for s in wave))
        frame.pts, frame.sample_rate = self.samples, RATE
        frame.time_base = fractions.Fraction(1, RATE)
        self.samples += len(places)
        return frame


class Seen:
    """What comes from one person."""

    def __init__(self):
        self.size, self.pictures, self.changes, self.hz = None, 0, 0, 0
        self.last = None

    async def watch(self, track):
        """Counts pictures, and those that differ from the one before."""
        while True:
            frame = await track.recv()
            content = bytes(frame.planes[0])
            self.pictures += 1
            self.changes += content != self.last
            self.last, self.size = content, [frame.width, frame.height]

    async def listen(self, track):
        """Finds the frequency of a tone: how often it goes up through zero in a second."""
        samples = []
        while True:
            frame = await track.recv()
            channels = len(frame.layout.channels)
            samples += memoryview(bytes(frame.planes[0])).cast("h")[: frame.samples * channels : channels]
            if len(samples) >= frame.sample_rate:
                ups = sum(a < 0 <= b for a, b in zip(samples, samples[1:]))
                self.hz = round(ups * frame.sample_rate / len(samples))
                samples = []


class Peer:
    """The connection to one other person."""

    def __init__(self, epoch: int, tone: int):
        self.epoch, self.seen, self.tasks = epoch, Seen(), []
        # aiortc makes a certificate for each connection, so a new nonce goes with it, and people
        # would have to compare codes again after a reconnect.
        self.nonce = secrets.token_bytes(32)
        self.own = self.other = self.offer = self.shown = ABSENT
        self.connection = RTCPeerConnection()
        # Sections in this order: audio, video, data.
        self.connection.addTrack(Tone(tone))
        self.connection.addTrack(MovingPicture())
        channel = self.connection.createDataChannel("quartet", negotiated=True, id=0)
        channel.on("open", lambda: channel.send(json.dumps({"type": "view", "height": 180})))
        self.connection.on("track", self.receive)

    def receive(self, track):
        work = self.seen.watch(track) if track.kind == "video" else self.seen.listen(track)
        self.tasks.append(asyncio.ensure_future(work))

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await self.connection.close()


class Call:
    """A visit to a room."""

    def __init__(self, socket, link, name: str, tone: int):
        self.socket, self.name, self.tone, self.peers = socket, name, tone, {}
        secret = base64.urlsafe_b64decode(link.fragment + "==")
        self.room = HKDF(SHA256(), 16, salt=None, info=b"quartet room 1").derive(secret)
        self.auth = HKDF(SHA256(), 32, salt=None, info=b"quartet auth 1").derive(secret)
        self.key = secrets.token_bytes(16)
        self.id = hashlib.sha256(self.key).digest()[:8].hex()

    async def send(self, type: str, **fields):
        await self.socket.send(json.dumps({"type": type, **fields}))

    async def run(self):
        await self.send("hello", version=PROTOCOL_VERSION, client="quartet-example/1")
        media = {"muted": False, "camera_off": False}
        room, key = base64url(self.room), base64url(self.key)
        await self.send("join", room=room, key=key, name=self.name, media=media)
        async for text in self.socket:
            message = json.loads(text)
            handle = getattr(self, "on_" + message["type"], None)
            if handle:
                await handle(message)

    async def on_welcome(self, message):
        print(json.dumps({"event": "joined", "you": self.id}), flush=True)
        for peer in message["peers"]:
            await self.on_peer_joined({"peer": peer})

    async def on_peer_joined(self, message):
        # The lower id of a pair offers, the other one waits for it.
        if self.id < message["peer"]["id"]:
            await self.offer(message["peer"]["id"], epoch=1)

    async def on_negotiate(self, message):
        # aiortc's connections do not survive an ICE restart: always a new one.
        old = self.peers.get(message["from"])
        epoch = max(message["epoch"], old.epoch if old else 0) + 1
        await self.offer(message["from"], epoch)

    async def offer(self, to: str, epoch: int):
        peer = await self.renew(to, epoch)
        await peer.connection.setLocalDescription(await peer.connection.createOffer())
        await self.describe(to, peer)

    async def on_description(self, message):
        sender, kind, epoch = message["from"], message["kind"], message["epoch"]
        peer = self.peers.get(sender)
        if not self.is_proven(peer, message):
            print(json.dumps({"event": "untrusted", "from": sender}), flush=True)
            return
        if kind == "offer" and (peer is None or epoch > peer.epoch):
            peer = await self.renew(sender, epoch)
        if peer is None or epoch < peer.epoch:
            return  # late
        proof = {name: from_base64url(value) for name, value in message["proof"].items()}
        peer.other, peer.shown = certificate(message["sdp"]), proof["word"]
        if kind == "offer":
            peer.offer = proof["mac"]
        await peer.connection.setRemoteDescription(RTCSessionDescription(message["sdp"], kind))
        if kind == "answer":
            await self.say_proven("confirm", CONFIRM, sender, peer, peer.nonce, proof["word"], {})
        if kind == "offer":
            await peer.connection.setLocalDescription(await peer.connection.createAnswer())
            await self.describe(sender, peer)

    async def describe(self, to: str, peer: Peer):
        # aiortc gathers first: the candidates are in the description.
        local = peer.connection.localDescription
        # It names its certificate by other hashes, too.
        sdp = re.sub(r"a=fingerprint:(?!sha-256 ).*\r\n", "", local.sdp)
        peer.own, about, word = certificate(sdp), ANSWER, peer.nonce
        if local.type == "offer":
            about, word = OFFER, hashlib.sha256(b"quartet commitment 1" + peer.nonce).digest()
        reply_to = ABSENT if local.type == "offer" else peer.offer
        said = {"kind": local.type, "sdp": sdp}
        mac = await self.say_proven("description", about, to, peer, word, reply_to, said)
        if local.type == "offer":
            peer.offer = mac

    async def say_proven(self, type, about, to, peer, word, reply_to, said) -> bytes:
        other = ABSENT if about == OFFER else peer.other
        ends = (self.id, to, peer.own, other)
        mac = prove(self.auth, about, peer.epoch, *ends, word, reply_to, said.get("sdp"))
        proof = {"word": base64url(word), "mac": base64url(mac)}
        await self.send(type, to=to, epoch=peer.epoch, proof=proof, **said)
        return mac

    def is_proven(self, peer, message) -> bool:
        """Whether a description or a `confirm` comes from somebody with the link."""
        try:
            proof = {name: from_base64url(message["proof"][name]) for name in ("word", "mac")}
            sdp = message.get("sdp")
            about = {"offer": OFFER, "answer": ANSWER}.get(message.get("kind"), CONFIRM)
            own = certificate(sdp) if sdp else peer.other
            other = ABSENT if about == OFFER else peer.own
            reply_to = {OFFER: ABSENT, ANSWER: peer and peer.offer, CONFIRM: peer and peer.nonce}
            said = (own, other, proof["word"], reply_to[about], sdp)
            mac = prove(self.auth, about, message["epoch"], message["from"], self.id, *said)
        except (AttributeError, KeyError, TypeError, ValueError):
            return False
        return hmac.compare_digest(mac, proof["mac"])

    async def on_confirm(self, message):
        peer = self.peers.get(message["from"])
        if peer is None or peer.epoch != message["epoch"]:
            return
        word = from_base64url(message["proof"]["word"])
        bound = hashlib.sha256(b"quartet commitment 1" + word).digest() == peer.shown
        if not bound or not self.is_proven(peer, message):
            print(json.dumps({"event": "untrusted", "from": message["from"]}), flush=True)
            await self.on_peer_left({"peer": message["from"]})

    async def on_candidate(self, message):
        peer, told = self.peers.get(message["from"]), message["candidate"]
        if peer and peer.epoch == message["epoch"] and told["candidate"]:
            candidate = candidate_from_sdp(told["candidate"].removeprefix("candidate:"))
            candidate.sdpMid = told.get("sdpMid")
            candidate.sdpMLineIndex = told.get("sdpMLineIndex")
            await peer.connection.addIceCandidate(candidate)

    async def on_peer_left(self, message):
        peer = self.peers.pop(message["peer"], None)
        if peer:
            await peer.close()

    async def on_error(self, message):
        print(json.dumps({"event": "error", "code": message["code"]}), flush=True)

    async def renew(self, to: str, epoch: int) -> Peer:
        if to in self.peers:
            await self.peers[to].close()
        self.peers[to] = Peer(epoch, self.tone)
        return self.peers[to]

    async def keep_alive(self):
        while True:
            await asyncio.sleep(PING_SECONDS)
            await self.send("ping", nonce=0)

    async def report(self):
        while True:
            await asyncio.sleep(1)
            for who, peer in self.peers.items():
                seen = peer.seen
                line = {"event": "seen", "from": who, "pictures": seen.pictures}
                line |= {"changes": seen.changes, "size": seen.size, "hz": seen.hz}
                print(json.dumps(line), flush=True)


async def main():
    parser = argparse.ArgumentParser(description="A member of a Quartet call.")
    parser.add_argument("link")
    parser.add_argument("--name", default="Python")
    parser.add_argument("--tone", type=int, default=600, help="frequency of the own tone in Hz")
    parser.add_argument("--for", dest="seconds", type=float, help="leaves after so many seconds")
    arguments = parser.parse_args()
    link = urlsplit(arguments.link)
    scheme = "wss" if link.scheme == "https" else "ws"
    async with connect(f"{scheme}://{link.netloc}/ws") as socket:
        call = Call(socket, link, arguments.name, arguments.tone)
        tasks = [asyncio.ensure_future(it) for it in (call.run(), call.keep_alive(), call.report())]
        ended, _ = await asyncio.wait(
            tasks, timeout=arguments.seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for task in tasks:
            task.cancel()
        for peer in call.peers.values():
            await peer.close()
        for task in ended:
            task.result()  # says what went wrong
        await call.send("leave")


if __name__ == "__main__":
    asyncio.run(main())
