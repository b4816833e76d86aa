//! A stream whose writes may stand still for a while and no longer: a client that does not read its answers loses its
//! connection. Reads wait for ever here; who reads has limits of its own.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use palinode::{Clock, SystemClock};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream with a limit.
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// Runs while a write stands still.
    stands_still: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S> Patient<S> {
    /// Writes to the stream may stand still so long.
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, stands_still: None }
    }

    /// What a write came to, unless it has stood still for too long.
    fn limited<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stands_still = None;
            return written;
        }
        let patience = self.patience;
        let wait = self.stands_still.get_or_insert_with(|| {
            Box::pin(async move { SystemClock.wait_until(SystemClock.now().plus(patience)).await })
        });
        wait.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.limited(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.limited(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.limited(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.limited(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_write_that_nobody_reads_ends_with_an_error() {
        let (here, _there) = tokio::io::duplex(16);
        let mut here = Patient::new(here, Duration::from_millis(20));
        let error = here.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn what_is_read_in_time_is_written() {
        let (here, mut there) = tokio::io::duplex(16);
        let mut here = Patient::new(here, Duration::from_secs(60));
        let write = async {
            here.write_all(&[7; 1_000]).await.unwrap();
            here.shutdown().await.unwrap();
        };
        let mut read = Vec::new();
        let (_, all) = tokio::join!(write, there.read_to_end(&mut read));
        assert_eq!((all.unwrap(), read), (1_000, vec![7; 1_000]));
    }
}
