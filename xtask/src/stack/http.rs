//! The question that proves a server of HTTP ready: a path it answers with 200. Its few bytes are written here, so that no
//! client has to be built for it.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Result, bail};

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server at this port for this path.
///
/// # Errors
/// It does not answer, or not with 200.
pub(crate) fn answers(port: u16, path: &str) -> Result<()> {
    let mut wire = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    wire.set_read_timeout(Some(PATIENCE))?;
    wire.set_write_timeout(Some(PATIENCE))?;
    wire.write_all(format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes())?;
    let mut head = [0; 12];
    wire.read_exact(&mut head)?;
    match &head {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', b'2', b'0', b'0'] => Ok(()),
        other => bail!("{path} is answered with {:?}", String::from_utf8_lossy(other)),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    #[test]
    fn only_200_is_ready() {
        for (answer, ready) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 503 no\r\n\r\n", false),
            ("SSH-2.0-x\r\n\r\n", false),
        ] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = thread::spawn(move || {
                let (mut wire, _) = listener.accept().unwrap();
                let mut asked = [0; 16];
                wire.read_exact(&mut asked).unwrap();
                wire.write_all(answer.as_bytes()).unwrap();
                asked
            });
            assert_eq!(answers(port, "/ready").is_ok(), ready, "{answer}");
            assert_eq!(&server.join().unwrap(), b"GET /ready HTTP/");
        }
    }
}
