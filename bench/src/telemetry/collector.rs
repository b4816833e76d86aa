//! Where spans are sent: it takes what comes and forgets it, or takes nothing and never answers. Knows HTTP just enough for
//! one exporter.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
};

/// A collector on a port of its own; it ends with the process.
pub(super) struct Collector(SocketAddr);

impl Collector {
    pub(super) fn start(hangs: bool) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::Builder::new().name("collector".into()).spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().flatten() {
                if hangs {
                    held.push(stream);
                } else {
                    // Whoever goes away in mid-request is not missed.
                    thread::spawn(move || take(stream).unwrap_or_default());
                }
            }
        })?;
        Ok(Self(address))
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.0)
    }
}

/// Answers requests until the other side goes.
fn take(stream: TcpStream) -> io::Result<()> {
    let mut requests = BufReader::new(stream.try_clone()?);
    let mut answers = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(bytes) = line.strip_prefix("content-length:") {
                length = bytes.trim().parse().map_err(io::Error::other)?;
            }
        }
        io::copy(&mut requests.by_ref().take(length), &mut io::sink())?;
        answers.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}
