//! A server as a process of its own, to be killed and started again on its port.
//!
//! The program is the test itself: `quartet-server` is another package's, which Cargo does not
//! build for this one's tests.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use quartet_harness::Child;
use quartet_server::{Server, ServerConfig};

/// Makes this program a server when it starts itself.
const LISTEN: &str = "QUARTET_TEST_LISTEN";
/// The test below, as the module is called where it is used.
const SERVER: &str = "killable_server::be_the_server";

/// Listens at `address`; gives its URL, too.
pub(crate) fn start_server(address: &str) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", SERVER, "--nocapture"]).env(LISTEN, address).stdout(Stdio::piped());
    let mut child = Child::start("server", &mut command).unwrap();
    let mut lines = BufReader::new(child.take_stdout().unwrap()).lines();
    // The test harness of the child speaks too.
    let url = lines.find_map(|line| Some(line.unwrap().split_once("url=")?.1.to_owned())).unwrap();
    (child, url)
}

/// Not a test: what [`start_server`] starts. In an ordinary run it does nothing.
#[test]
fn be_the_server() {
    let Ok(address) = std::env::var(LISTEN) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listen = address.parse().unwrap();
        let server = Server::start(ServerConfig::at(listen)).unwrap();
        writeln!(std::io::stdout(), "\nurl={}", server.url()).unwrap();
        std::future::pending::<()>().await;
    });
}
