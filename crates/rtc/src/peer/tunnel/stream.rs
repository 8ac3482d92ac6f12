//! The stream to a TURN server: TCP, and TLS where the URL says so.

use std::{io, net::IpAddr, time::Duration};

use tokio::{
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::{Stream, TunnelServer};

/// TCP and TLS together: three round trips, one of them lost. A link has 10 s to connect.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// What the system keeps of what is sent, bytes (Linux takes the double): more of it would only
/// grow old there, and as much reaches 3 Mbit/s over a round trip of 300 ms.
const SEND_BUFFER: u32 = 64 * 1024;

/// Connects from the address of the socket that the tunnel belongs to, so that the machine's
/// interfaces are used as they would be by UDP.
pub(super) async fn connect(local: IpAddr, server: TunnelServer) -> io::Result<Box<dyn Stream>> {
    sleep(server.head_start).await;
    let connecting = async {
        let stream = connect_tcp(local, &server).await?;
        let stream: Box<dyn Stream> = match server.tls {
            Some((config, name)) => {
                Box::new(TlsConnector::from(config).connect(name, stream).await?)
            }
            None => Box::new(stream),
        };
        Ok(stream)
    };
    timeout(CONNECT_DEADLINE, connecting).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
}

async fn connect_tcp(local: IpAddr, server: &TunnelServer) -> io::Result<TcpStream> {
    let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind((local, 0).into())?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    // A voice does not wait for company.
    socket.set_nodelay(true)?;
    socket.connect(server.address).await
}
