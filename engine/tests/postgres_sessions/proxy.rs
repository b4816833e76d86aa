//! A TCP proxy before the server that, told to, does one thing at the first message of a client that holds certain words.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};

/// What is done at the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The message arrives; the answer is kept until the release.
    HoldAnswer,
    /// The message does not arrive, and both sides are cut.
    CutBefore,
    /// The message arrives and is answered; then both sides are cut, without the answer.
    CutAfter,
    /// The client is cut. The server's side stays, and gets the message at the release.
    Late,
}

#[derive(Clone)]
pub(crate) struct Proxy(Arc<Inner>);

struct Inner {
    port: u16,
    rule: Mutex<Option<(&'static str, Then)>>,
    met: Notify,
    released: watch::Sender<bool>,
}

impl Proxy {
    /// Before the server on this port.
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Self(Arc::new(Inner {
            port: listener.local_addr().unwrap().port(),
            rule: Mutex::default(),
            met: Notify::new(),
            released: watch::channel(false).0,
        }));
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = accepting.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    let _ = proxy.pipe(client, server).await;
                });
            }
        });
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port
    }

    /// At the next message with these words.
    pub(crate) fn at(&self, words: &'static str, then: Then) {
        self.0.released.send_replace(false);
        *self.0.rule.lock().unwrap() = Some((words, then));
    }

    /// Returns when the words were met.
    pub(crate) async fn met(&self) {
        self.0.met.notified().await;
    }

    pub(crate) fn release(&self) {
        self.0.released.send_replace(true);
    }

    async fn pipe(&self, mut client: TcpStream, mut server: TcpStream) -> std::io::Result<()> {
        let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            tokio::select! {
                read = client.read(&mut up) => {
                    let message = &up[..read?];
                    if message.is_empty() {
                        return Ok(());
                    }
                    match self.rule(message) {
                        None => server.write_all(message).await?,
                        Some(Then::CutBefore) => {
                            self.0.met.notify_one();
                            return Ok(());
                        }
                        Some(Then::HoldAnswer) => {
                            server.write_all(message).await?;
                            self.0.met.notify_one();
                            self.released().await;
                        }
                        Some(Then::CutAfter) => {
                            server.write_all(message).await?;
                            let answered = server.read(&mut down).await?;
                            assert!(answered > 0);
                            self.0.met.notify_one();
                            return Ok(());
                        }
                        Some(Then::Late) => {
                            drop(client);
                            self.0.met.notify_one();
                            self.released().await;
                            return server.write_all(message).await;
                        }
                    }
                }
                read = server.read(&mut down) => {
                    let message = &down[..read?];
                    if message.is_empty() {
                        return Ok(());
                    }
                    client.write_all(message).await?;
                }
            }
        }
    }

    fn rule(&self, message: &[u8]) -> Option<Then> {
        let mut rule = self.0.rule.lock().unwrap();
        let (words, then) = (*rule)?;
        let found = message.windows(words.len()).any(|w| w.eq_ignore_ascii_case(words.as_bytes()));
        found.then(|| {
            *rule = None;
            then
        })
    }

    async fn released(&self) {
        self.0.released.subscribe().wait_for(|released| *released).await.unwrap();
    }
}
