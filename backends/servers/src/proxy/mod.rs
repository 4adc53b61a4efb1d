//! A proxy that loses connections where a test wants it: before a request arrives, or between request and reply.
//!
//! Put between a store and its server by the URL ([`Endpoint::at`](crate::Endpoint::at)). It knows no protocol: a
//! *request* is what a client sends on one connection until the server says something, so it can be counted where
//! clients ask one thing at a time; logging in takes a few. Where requests are pipelined, name the one that is meant by
//! bytes that it holds.

mod connection;
mod plan;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use plan::{Plan, Side, Which};

pub use plan::Cut;

/// Listens on a port of its own and passes everything to a server and back, until told otherwise. All methods may be
/// called from any thread; dropping it closes all connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    plan: Arc<Plan>,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens before the server at this address, which need not be up.
    ///
    /// # Errors
    /// When no port of the loopback can be had.
    pub fn before(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let plan = Arc::new(Plan::default());
        let accepting = std::thread::spawn({
            let plan = Arc::clone(&plan);
            move || connection::accept(&listener, server, &plan)
        });
        Ok(Self { address, plan, accepting: Some(accepting) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The reply to the `n`-th request from now (1 is the next) is lost: the request passes, and when the server has
    /// answered it and is done with the connection, the client finds it closed. None of the answer arrives.
    pub fn cut_after_request(&self, n: u32) -> Cut {
        self.plan.add(Which::Nth(n), Side::After)
    }

    /// The `n`-th request from now (1 is the next) is lost with its connection: none of it arrives.
    pub fn cut_before_request(&self, n: u32) -> Cut {
        self.plan.add(Which::Nth(n), Side::Before)
    }

    /// As [`cut_after_request`](Self::cut_after_request), for the next request that holds these bytes.
    pub fn cut_after(&self, bytes: &[u8]) -> Cut {
        self.plan.add(Which::Holding(bytes.to_vec()), Side::After)
    }

    /// As [`cut_before_request`](Self::cut_before_request), for the next request that holds these bytes. What came
    /// before them in other packets has passed.
    pub fn cut_before(&self, bytes: &[u8]) -> Cut {
        self.plan.add(Which::Holding(bytes.to_vec()), Side::Before)
    }

    /// Closes every connection that is open. New ones are taken as before.
    pub fn cut_all(&self) {
        self.plan.close_all();
    }

    /// Closes new connections as soon as they open, until [`release`](Self::release). Those that are open stay.
    pub fn refuse(&self) {
        self.plan.change(|traffic| traffic.refused = true);
    }

    /// Swallows everything in both directions while connections stay open and new ones open: a network that has gone
    /// silent. What was swallowed arrives after [`release`](Self::release).
    pub fn hold(&self) {
        self.plan.change(|traffic| traffic.held = true);
    }

    /// Ends [`hold`](Self::hold), [`refuse`](Self::refuse) and [`delay`](Self::delay).
    pub fn release(&self) {
        self.plan.change(|traffic| *traffic = plan::Traffic::default());
    }

    /// Makes every packet late, in both directions.
    pub fn delay(&self, by: Duration) {
        self.plan.change(|traffic| traffic.late_by = by);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.plan.end();
        // It waits for a connection, so it gets one.
        if TcpStream::connect(self.address).is_ok() {
            let _ = self.accepting.take().map(JoinHandle::join);
        }
    }
}
