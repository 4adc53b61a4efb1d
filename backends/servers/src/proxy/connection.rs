//! One connection: a thread for what the client says, one for what the server says.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::spawn;

use super::plan::{Plan, Side};

const PACKET: usize = 64 * 1024;

/// What both directions of a connection know of each other.
#[derive(Debug)]
struct Exchange {
    /// The server has said something since the client last did, or nobody has said anything.
    answered: bool,
    /// The cut at which replies are lost from now on.
    muted: Option<u64>,
}

/// One direction's view of a connection.
#[derive(Clone)]
struct Link {
    id: u64,
    plan: Arc<Plan>,
    exchange: Arc<Mutex<Exchange>>,
}

/// Takes connections until the plan ends.
pub(super) fn accept(listener: &TcpListener, server: SocketAddr, plan: &Arc<Plan>) {
    for client in listener.incoming() {
        if plan.has_ended() {
            return;
        }
        let Ok(client) = client else { continue };
        let Ok(Some(id)) = client.try_clone().map(|client| plan.open(client)) else { continue };
        let exchange = Arc::new(Mutex::new(Exchange { answered: true, muted: None }));
        let link = Link { id, plan: Arc::clone(plan), exchange };
        spawn(move || {
            // Whatever broke it, the client sees it closed.
            let _ = link.carry(client, server);
            link.plan.close(link.id);
        });
    }
}

impl Link {
    fn carry(&self, client: TcpStream, server: SocketAddr) -> io::Result<()> {
        if !self.plan.pass(self.id) {
            return Ok(());
        }
        let server = TcpStream::connect(server)?;
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        if !self.plan.join(self.id, server.try_clone()?) {
            return Ok(());
        }
        let replies = spawn({
            let (link, server, client) = (self.clone(), server.try_clone()?, client.try_clone()?);
            move || link.carry_replies(server, client)
        });
        let carried = self.carry_requests(client, server);
        if carried.is_err() {
            self.plan.close(self.id);
        }
        // It ends when the server closes, which a client that only ended its own direction may wait for.
        let _ = replies.join();
        Ok(())
    }

    fn carry_requests(&self, mut client: TcpStream, mut server: TcpStream) -> io::Result<()> {
        let mut packet = vec![0; PACKET];
        let mut tail = Vec::new();
        loop {
            let count = client.read(&mut packet)?;
            if !self.plan.pass(self.id) {
                return Ok(());
            }
            if count == 0 {
                return server.shutdown(Shutdown::Write);
            }
            let mut exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
            let begins = std::mem::replace(&mut exchange.answered, false);
            let met = match exchange.muted {
                None => self.plan.meet(&packet[..count], &mut tail, begins),
                Some(_) => None,
            };
            match met {
                Some((cut, Side::Before)) => {
                    self.plan.close(self.id);
                    self.plan.made(cut);
                    return Ok(());
                }
                // Replies wait for the lock: none of this request passes.
                Some((cut, Side::After)) => {
                    server.write_all(&packet[..count])?;
                    exchange.muted = Some(cut);
                }
                None => {
                    drop(exchange);
                    server.write_all(&packet[..count])?;
                }
            }
        }
    }

    fn carry_replies(&self, mut server: TcpStream, mut client: TcpStream) {
        let mut packet = vec![0; PACKET];
        let mut muted = None;
        while let Ok(count) = server.read(&mut packet) {
            if !self.plan.pass(self.id) {
                return;
            }
            let mut exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
            exchange.answered = true;
            muted = exchange.muted;
            drop(exchange);
            match (muted, count) {
                (Some(_), 0) => break,
                // The request has been answered, so all of it has arrived. The server is told that no more comes, and
                // closes when it is done with what it got. If it has closed already, the next look tells.
                (Some(_), _) => drop(server.shutdown(Shutdown::Write)),
                (None, 0) => {
                    // The client may still be in the middle of a word; it finds the end when it reads.
                    let _ = client.shutdown(Shutdown::Write);
                    return;
                }
                (None, _) if client.write_all(&packet[..count]).is_err() => break,
                (None, _) => {}
            }
        }
        self.plan.close(self.id);
        if let Some(cut) = muted {
            self.plan.made(cut);
        }
    }
}
