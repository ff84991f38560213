//! Stands between lastgood and a server, passes every byte on, and at some byte cuts the connection or passes nothing more.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::RowResult;

/// What is done to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    /// Both sides are told that it is closed.
    Cut,
    /// Neither hears anything more, as when a machine between them vanishes, until the harm is over.
    Stall,
}

/// After how many bytes, of all connections and both directions, what is done to how many connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) harm: Harm,
    pub(super) after_bytes: u64,
    pub(super) times: u64,
}

#[derive(Debug, Default)]
struct State {
    plan: Option<Plan>,
    passed: u64,
    harmed: u64,
}

/// A proxy; gone with its connections on drop.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
    /// Its number is that of the plan; connections of earlier plans end.
    plans: watch::Sender<u64>,
    accepts: JoinHandle<()>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Passes everything on to this port of this machine.
    pub(super) async fn to(port: u16) -> RowResult<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let own = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State::default()));
        let (plans, plan) = watch::channel(0);
        let accepts = tokio::spawn(accept(listener, (Ipv4Addr::LOCALHOST, port).into(), Arc::clone(&state), plan));
        Ok(Self { port: own, state, plans, accepts })
    }

    /// Follows another plan from here, or none; ends all connections. Returns how many bytes had passed, and how many
    /// connections were harmed.
    pub(super) fn follow(&self, plan: Option<Plan>) -> (u64, u64) {
        let was = std::mem::replace(&mut *locked(&self.state), State { plan, passed: 0, harmed: 0 });
        self.plans.send_modify(|number| *number += 1);
        (was.passed, was.harmed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
        self.plans.send_modify(|number| *number += 1);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, state: Arc<Mutex<State>>, plan: watch::Receiver<u64>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(pass(client, server, Arc::clone(&state), plan.clone()));
    }
}

/// Passes one connection on until either side ends it, it is harmed, or another plan is followed.
async fn pass(client: TcpStream, server: SocketAddr, state: Arc<Mutex<State>>, mut plan: watch::Receiver<u64>) {
    plan.mark_unchanged();
    let Ok(server) = TcpStream::connect(server).await else { return };
    // They only make it quicker.
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut client_reads, mut client_writes) = client.into_split();
    let (mut server_reads, mut server_writes) = server.into_split();
    let harm = {
        let up = one_way(&mut client_reads, &mut server_writes, &state);
        let down = one_way(&mut server_reads, &mut client_writes, &state);
        tokio::select! {
            harm = either(up, down) => harm,
            _ = plan.changed() => None,
        }
    };
    if harm == Some(Harm::Stall) {
        // Both are held, so that nobody is told.
        let _ended = plan.changed().await;
    }
}

/// The harm of the direction that is harmed first; an end of one direction alone ends nothing.
async fn either(up: impl Future<Output = Option<Harm>>, down: impl Future<Output = Option<Harm>>) -> Option<Harm> {
    let (mut up, mut down) = (pin!(up), pin!(down));
    tokio::select! {
        harm = &mut up => if harm.is_some() { harm } else { down.await },
        harm = &mut down => if harm.is_some() { harm } else { up.await },
    }
}

/// Passes bytes on in one direction until its end; the harm, if it ends by one.
async fn one_way(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, state: &Mutex<State>) -> Option<Harm> {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let (passes, harm) = decided(&mut locked(state), length);
        if to.write_all(&buffer[..passes]).await.is_err() {
            return None;
        }
        if harm.is_some() {
            return harm;
        }
    }
    // Whoever it is told to may be gone already.
    let _ = to.shutdown().await;
    None
}

/// How many of these bytes pass, and what is done then.
fn decided(state: &mut State, length: usize) -> (usize, Option<Harm>) {
    let before = state.passed;
    state.passed += length as u64;
    match state.plan {
        Some(plan) if state.harmed < plan.times && state.passed > plan.after_bytes => {
            state.harmed += 1;
            let left = plan.after_bytes.saturating_sub(before);
            (usize::try_from(left).unwrap_or(length).min(length), Some(plan.harm))
        }
        _ => (length, None),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_byte_asked_for_is_the_last_that_passes() {
        let plan = Plan { harm: Harm::Cut, after_bytes: 10, times: 1 };
        let mut state = State { plan: Some(plan), ..State::default() };
        assert_eq!(decided(&mut state, 8), (8, None));
        assert_eq!(decided(&mut state, 8), (2, Some(Harm::Cut)));
        assert_eq!(decided(&mut state, 8), (8, None));
    }

    /// A server that sends everything back.
    async fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reads, mut writes) = client.split();
                    let _ = tokio::io::copy(&mut reads, &mut writes).await;
                });
            }
        });
        port
    }

    #[tokio::test]
    async fn connections_are_passed_on_cut_and_stalled() {
        let proxy = Proxy::to(echo().await).await.unwrap();
        let connect = async || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).await.unwrap();
        let mut client = connect().await;
        client.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");

        proxy.follow(Some(Plan { harm: Harm::Cut, after_bytes: 7, times: 1 }));
        let mut client = connect().await;
        client.write_all(b"hello").await.unwrap();
        let mut rest = Vec::new();
        // It may end with an error or just end.
        let _ = client.read_to_end(&mut rest).await;
        assert_eq!(rest, b"he");

        proxy.follow(Some(Plan { harm: Harm::Stall, after_bytes: 0, times: 1 }));
        let mut client = connect().await;
        client.write_all(b"hello").await.unwrap();
        let silent = tokio::time::timeout(Duration::from_millis(200), client.read(&mut heard)).await;
        assert!(silent.is_err(), "{silent:?}");
        assert_eq!(proxy.follow(None), (5, 1));
        let ended = client.read(&mut heard).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
}
