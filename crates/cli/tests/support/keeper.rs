//! Somebody inside who decides at the door. The program of the others only lets everybody in, or
//! nobody; so this one runs its engine here.

use std::time::Duration;

use quartet_engine::{Command, Engine, EngineConfig, Event, EventReceiver, IceConfig, JoinRequest};
use quartet_proto::{JoinLink, PeerId, RoomPolicy};
use tokio::{runtime::Runtime, time::timeout};

/// For what takes some 100 ms on a free machine.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Keeper {
    // The engine ends before the runtime on which it runs.
    engine: Engine,
    events: EventReceiver,
    runtime: Runtime,
}

impl Keeper {
    /// In the room, which it has made with this policy.
    pub(crate) fn join(link: &str, policy: RoomPolicy) -> Self {
        let runtime = Runtime::new().unwrap();
        let (engine, events) = {
            let _inside = runtime.enter();
            Engine::start(EngineConfig::default())
        };
        engine.send(Command::Join(JoinRequest {
            link: JoinLink::parse(link).unwrap(),
            name: "Keeper".to_owned(),
            ice: IceConfig { bind: vec!["127.0.0.1".parse().unwrap()], ..IceConfig::default() },
            policy,
        }));
        let mut keeper = Self { engine, events, runtime };
        keeper.hear("the room", |event| matches!(event, Event::Joined { .. }).then_some(()));
        keeper
    }

    pub(crate) fn tell(&self, command: Command) {
        self.engine.send(command);
    }

    /// Waits until `look` finds something in an event.
    pub(crate) fn hear<T>(&mut self, what: &str, mut look: impl FnMut(Event) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the engine runs");
                if let Some(found) = look(event) {
                    return found;
                }
            }
        };
        let found = self.runtime.block_on(async { timeout(PATIENCE, search).await });
        found.unwrap_or_else(|_| panic!("the keeper waited {PATIENCE:?} for {what}"))
    }

    /// Waits until somebody of this name knocks.
    pub(crate) fn hear_knock(&mut self, name: &str) -> PeerId {
        self.hear(&format!("{name} at the door"), |event| match event {
            Event::Knock(info) if info.name == name => Some(info.id),
            _ => None,
        })
    }
}
