//! The one question that proves a broker ready: a metadata request, answered with at least one broker. Its few bytes
//! are written here, so that no client has to be built for it.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Result, bail};

const PATIENCE: Duration = Duration::from_secs(5);
const CORRELATION: i32 = 71;

/// Asks the broker at this port which brokers there are.
///
/// # Errors
/// It does not answer, or knows of none: it is not registered yet.
pub(crate) fn brokers(port: u16) -> Result<()> {
    let mut wire = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    wire.set_read_timeout(Some(PATIENCE))?;
    wire.set_write_timeout(Some(PATIENCE))?;
    wire.write_all(&request())?;
    let mut head = [0; 12];
    wire.read_exact(&mut head)?;
    match answer(head) {
        (CORRELATION, 1..) => Ok(()),
        (CORRELATION, _) => bail!("no broker is registered yet"),
        _ => bail!("this is no Kafka"),
    }
}

/// `Metadata`, version 1, of no topic: length, key, version, correlation, client, topics.
fn request() -> Vec<u8> {
    let client = b"xtask";
    let mut body = Vec::new();
    body.extend(3_i16.to_be_bytes());
    body.extend(1_i16.to_be_bytes());
    body.extend(CORRELATION.to_be_bytes());
    body.extend(5_i16.to_be_bytes());
    body.extend(client);
    body.extend(0_i32.to_be_bytes());
    let length = u32::try_from(body.len()).unwrap_or_default();
    [&length.to_be_bytes()[..], &body].concat()
}

/// The correlation and the number of brokers, which stand after the length.
fn answer(head: [u8; 12]) -> (i32, i32) {
    let [_, _, _, _, a, b, c, d, e, f, g, h] = head;
    (i32::from_be_bytes([a, b, c, d]), i32::from_be_bytes([e, f, g, h]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_says_its_own_length() {
        let bytes = request();
        assert_eq!(bytes.len(), 4 + 19);
        assert_eq!(bytes[..8], [0, 0, 0, 19, 0, 3, 0, 1]);
        assert_eq!(answer([0, 0, 0, 9, 0, 0, 0, 71, 0, 0, 0, 2]), (71, 2));
    }
}
