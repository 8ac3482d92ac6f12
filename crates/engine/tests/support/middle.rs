//! A signalling server that stands in the middle: it ends DTLS on both sides itself, with
//! connections and certificates of its own, and so would see and hear everything.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use futures_util::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use quartet_core::{EncodedFrame, LinkAction, LinkEvent, LinkState, RtpPacket};
use quartet_proto::{
    About, AuthKey, ClientMessage, DescriptionKind, Epoch, Fingerprint, Nonce, PROTOCOL_VERSION,
    PeerId, PeerInfo, Proof, RoomPolicy, ServerMessage, Statement, Word,
};
use quartet_rtc::{Certificate, IceConfig, Link, LinkConfig, LinkRole, MediaSink};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// What it overhears.
#[derive(Debug, Default)]
pub(crate) struct Overheard {
    pub(crate) voices: AtomicUsize,
    pub(crate) pictures: AtomicUsize,
    /// Connections that it has with either.
    pub(crate) connected: AtomicUsize,
    /// Descriptions of its own that it has told somebody.
    pub(crate) told: AtomicUsize,
}

impl MediaSink for Overheard {
    fn voice(&self, _: RtpPacket) {
        self.voices.fetch_add(1, Relaxed);
    }

    fn picture(&self, _: EncodedFrame) {
        self.pictures.fetch_add(1, Relaxed);
    }
}

/// What it can do.
#[derive(Clone)]
pub(crate) enum Power {
    /// It knows what a server does; proofs it can only repeat.
    Server,
    /// Somebody has given it the link.
    Link(AuthKey),
}

/// Ends with its value.
pub(crate) struct Middle {
    pub(crate) url: String,
    pub(crate) overheard: Arc<Overheard>,
    task: JoinHandle<()>,
}

impl Middle {
    pub(crate) async fn start(power: Power) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let overheard = Arc::<Overheard>::default();
        let room = Arc::new(Room { power, overheard: Arc::clone(&overheard), ..Room::new() });
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&room), stream));
            }
        });
        Self { url, overheard, task }
    }
}

impl Drop for Middle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Room {
    power: Power,
    overheard: Arc<Overheard>,
    members: Mutex<HashMap<PeerId, (PeerInfo, mpsc::UnboundedSender<ServerMessage>)>>,
    ends: Mutex<HashMap<PeerId, End>>,
}

/// Its own connection to one of the two, in the name of the other.
#[derive(Clone)]
struct End {
    epoch: Epoch,
    link: Arc<Link>,
    /// What the one that it talks to has last shown beside a description, and whose that is.
    shown: Arc<Mutex<Option<(Proof, Fingerprint)>>>,
    /// Its own certificate there, once it is known.
    own: Arc<Mutex<Option<Fingerprint>>>,
}

async fn serve(room: Arc<Room>, stream: TcpStream) {
    let Ok(socket) = accept_async(stream).await else { return };
    let (mut sink, mut source) = socket.split();
    let (out, mut queue) = mpsc::unbounded_channel::<ServerMessage>();
    tokio::spawn(async move {
        while let Some(message) = queue.recv().await {
            let text = serde_json::to_string(&message).unwrap();
            if sink.send(Message::text(text)).await.is_err() {
                break;
            }
        }
    });
    let mut own = None;
    while let Some(Ok(message)) = source.next().await {
        let Message::Text(text) = message else { continue };
        let Ok(message) = serde_json::from_str(&text) else { continue };
        match message {
            ClientMessage::Hello { .. } => {
                let server = "middle".to_owned();
                let _ = out.send(ServerMessage::Hello { version: PROTOCOL_VERSION, server });
            }
            ClientMessage::Ping { nonce } => drop(out.send(ServerMessage::Pong { nonce })),
            ClientMessage::Join { key, name, media, .. } => {
                let info = PeerInfo { id: key.peer_id(), name, media };
                own = Some(info.id);
                room.enter(info, &out);
            }
            message => {
                if let Some(from) = own {
                    room.relay(from, message).await;
                }
            }
        }
    }
}

impl Room {
    fn new() -> Self {
        Self {
            power: Power::Server,
            overheard: Arc::default(),
            members: Mutex::default(),
            ends: Mutex::default(),
        }
    }

    fn enter(&self, info: PeerInfo, out: &mpsc::UnboundedSender<ServerMessage>) {
        let mut members = self.members.lock();
        let _ = out.send(ServerMessage::Welcome {
            you: info.id,
            peers: members.values().map(|(info, _)| info.clone()).collect(),
            ice_servers: Vec::new(),
            policy: RoomPolicy::Open,
            knocking: Vec::new(),
        });
        for (_, other) in members.values() {
            let _ = other.send(ServerMessage::PeerJoined { peer: info.clone() });
        }
        members.insert(info.id, (info, out.clone()));
    }

    fn tell(&self, to: PeerId, message: ServerMessage) {
        if let Some((_, out)) = self.members.lock().get(&to) {
            let _ = out.send(message);
        }
    }

    /// Its end towards `of`, in this epoch.
    fn end(&self, of: PeerId, epoch: Epoch) -> Option<End> {
        self.ends.lock().get(&of).filter(|end| end.epoch == epoch).cloned()
    }

    /// What one says for another goes no further, but for wishes.
    async fn relay(self: &Arc<Self>, from: PeerId, message: ClientMessage) {
        match message {
            ClientMessage::Description { to, epoch, kind: DescriptionKind::Offer, sdp, proof } => {
                let own = self.open(LinkRole::Answerer, (from, to), epoch).await;
                *own.shown.lock() = Some((proof, Fingerprint::of_sdp(&sdp).unwrap()));
                own.link.act(LinkAction::Description { kind: DescriptionKind::Offer, sdp });
                let other = self.open(LinkRole::Offerer, (to, from), epoch).await;
                // To repeat, if it can do no better.
                *other.shown.lock() = *own.shown.lock();
                other.link.act(LinkAction::Offer { ice_restart: false });
            }
            ClientMessage::Description { to, epoch, kind, sdp, proof } => {
                let Some(end) = self.end(from, epoch) else { return };
                let theirs = Fingerprint::of_sdp(&sdp).unwrap();
                *end.shown.lock() = Some((proof, theirs));
                end.link.act(LinkAction::Description { kind, sdp });
                if let (Power::Link(key), Some(own)) = (&self.power, *end.own.lock()) {
                    let statement = Statement {
                        about: About::Confirm,
                        epoch,
                        from: to,
                        to: from,
                        own,
                        other: Some(theirs),
                        reply_to: Some(proof.word),
                        sdp: None,
                    };
                    let proof = key.prove(&statement, nonce().reveal());
                    self.tell(from, ServerMessage::Confirm { from: to, epoch, proof });
                }
            }
            ClientMessage::Candidate { epoch, candidate, .. } => {
                if let Some(end) = self.end(from, epoch) {
                    end.link.act(LinkAction::Candidate(candidate));
                }
            }
            ClientMessage::Negotiate { to, epoch, renew } => {
                self.tell(to, ServerMessage::Negotiate { from, epoch, renew });
            }
            _ => {}
        }
    }

    /// A new connection to the first, in the name of the second.
    async fn open(self: &Arc<Self>, role: LinkRole, pair: (PeerId, PeerId), epoch: Epoch) -> End {
        let certificate = Certificate::generate().unwrap();
        let ice = IceConfig { bind: vec!["127.0.0.1".parse().unwrap()], ..IceConfig::default() };
        let (events, heard) = mpsc::channel(256);
        let config = LinkConfig { role, ice, certificate };
        let sink = Arc::clone(&self.overheard) as Arc<dyn MediaSink>;
        let link = Arc::new(Link::open(config, sink, events).await.unwrap());
        let end = End { epoch, link, shown: Arc::default(), own: Arc::default() };
        self.ends.lock().insert(pair.0, end.clone());
        tokio::spawn(Arc::clone(self).carry(pair, end.clone(), heard));
        end
    }

    /// What its connection says is told in the name of the other.
    async fn carry(
        self: Arc<Self>,
        (to, from): (PeerId, PeerId),
        end: End,
        mut heard: mpsc::Receiver<LinkEvent>,
    ) {
        let epoch = end.epoch;
        while let Some(event) = heard.recv().await {
            match event {
                LinkEvent::Description { kind, sdp } => {
                    let proof = self.prove((to, from), &end, kind, &sdp);
                    self.overheard.told.fetch_add(1, Relaxed);
                    let proof = Some(proof);
                    self.tell(to, ServerMessage::Description { from, epoch, kind, sdp, proof });
                }
                LinkEvent::Candidate(candidate) => {
                    self.tell(to, ServerMessage::Candidate { from, epoch, candidate });
                }
                LinkEvent::State(LinkState::Connected) => {
                    self.overheard.connected.fetch_add(1, Relaxed);
                }
                _ => {}
            }
        }
    }

    fn prove(
        &self,
        (to, from): (PeerId, PeerId),
        end: &End,
        kind: DescriptionKind,
        sdp: &str,
    ) -> Proof {
        let own = Fingerprint::of_sdp(sdp).unwrap();
        *end.own.lock() = Some(own);
        let (repeated, theirs) = end.shown.lock().expect("nothing is told before");
        let Power::Link(key) = &self.power else { return repeated };
        let epoch = end.epoch;
        let statement = Statement {
            about: About::Offer,
            epoch,
            from,
            to,
            own,
            other: None,
            reply_to: None,
            sdp: Some(sdp),
        };
        match kind {
            DescriptionKind::Offer => key.prove(&statement, nonce().commit()),
            DescriptionKind::Answer => {
                let (about, other) = (About::Answer, Some(theirs));
                let reply_to = Some(repeated.mac);
                let statement = Statement { about, other, reply_to, ..statement };
                key.prove(&statement, nonce().reveal())
            }
        }
    }
}

/// It need not be a secret here.
fn nonce() -> Nonce {
    Word::from_bytes([7; 32]).as_nonce()
}
