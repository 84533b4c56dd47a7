//! The server: one listener, bounded connections, and an end that leaves nothing half done.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use plimsoll_log::Fault;
use plimsoll_service::run::{Receipt, Run};
use plimsoll_telemetry::Metrics;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
use tokio_io_timeout::TimeoutStream;

use crate::hub::Hub;
use crate::live::Live;
use crate::routes::{Shared, router};
use crate::writer::{Driver, Plan, Snapshots, Writer};

/// Connections at a time.
const MOST_CONNECTIONS: usize = 4_096;
/// Clients of the stream at a time.
const MOST_LISTENERS: usize = 2_048;
/// Clients of the stream that are told from the log at a time; others of them wait.
const MOST_BEHIND: usize = 16;
/// Readers of the log's past at a time.
const MOST_READERS: usize = 2;
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(10);
/// Committed epochs that may wait for the hub.
const UNTOLD: usize = 4_096;

/// How a run is served.
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The key that requests must bear, where anything.
    pub key: Option<String>,
    /// Epochs from one snapshot to the next, at most.
    pub snapshot_epochs: u64,
    /// Events since the newest snapshot, which the recovery has just recomputed.
    pub recovered_events: u64,
    /// How long archived segments of the log are kept, where not for ever.
    pub keep: Option<Duration>,
    /// How long a request may take, the arrival of its body included; and how long a client may leave
    /// what it is sent unread.
    pub longest: Duration,
    /// Begins what submits events besides HTTP, where anything does; it returns at once.
    pub sources: Option<Box<dyn FnOnce(Submitter) + Send>>,
}

/// Takes events from another source than HTTP, on the same way and within the same bounds.
#[derive(Clone)]
pub struct Submitter {
    /// Taken away when the service ends: it waits for no thread of a source.
    writer: Arc<Mutex<Option<Writer>>>,
    runtime: Handle,
}

/// Why a submission was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// More waits already than may: it may be submitted again.
    Busy,
    /// The service is ending.
    Ending,
}

impl Submitter {
    /// Hands a submission over and waits until all of it is committed. Not from within the runtime.
    ///
    /// # Errors
    /// [`NotTaken`]; of a submission that was cut off by the end some events may be committed.
    pub fn submit(&self, body: Vec<u8>) -> Result<Receipt, NotTaken> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let writer = writer.ok_or(NotTaken::Ending)?;
        self.runtime
            .block_on(writer.submit(body.into()))
            .map_err(|problem| if problem.is_busy() { NotTaken::Busy } else { NotTaken::Ending })
    }
}

/// Why a service ended that was not asked to.
#[derive(Debug)]
pub enum Ended {
    /// What the log said.
    Log(Fault),
    /// The address cannot be had, or the system has no threads.
    System(String),
}

/// Serves a run until the process is told to end, or the log fails. Calls `ready` with the address once
/// requests are taken.
///
/// # Errors
/// What ended it.
pub fn serve(
    mut run: Run,
    live: Live,
    metrics: Metrics,
    options: Options,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), Ended> {
    let listen = options.listen;
    let system = |cause: std::io::Error| Ended::System(format!("{listen}: {cause}"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(system)?;
    let mut told_to = runtime.block_on(async { Told::hold() }).map_err(system)?;
    let listener = runtime.block_on(TcpListener::bind(listen)).map_err(system)?;
    let address = listener.local_addr().map_err(system)?;
    let metrics = Arc::new(metrics);
    let plan = Plan {
        every: options.snapshot_epochs,
        recovered_events: options.recovered_events,
        keep: options.keep,
    };
    let snapshots = Snapshots::of(&mut run, plan, &metrics).map_err(Ended::Log)?;
    let (writer, waiting) = Writer::new(metrics.clone());
    let (hub, (told, committed)) = (Hub::after(run.epoch()), mpsc::channel(UNTOLD));
    let ending = Arc::new(AtomicBool::new(false));
    let held = Arc::new(Mutex::new(Some(writer.clone())));
    let shared = Shared {
        writer,
        hub: hub.clone(),
        past: run.log().past(),
        ending: ending.clone(),
        metrics,
        longest: options.longest,
        listeners: Arc::new(Semaphore::new(MOST_LISTENERS)),
        readers: Arc::new(Semaphore::new(MOST_READERS)),
        behind: Arc::new(Semaphore::new(MOST_BEHIND)),
        key: options.key.as_deref().map(Arc::from),
    };
    runtime.spawn(hub.clone().tell(committed));
    let (ended, fault) = tokio::sync::oneshot::channel();
    let writing = std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
        // Whoever waits for the end may have gone.
        let _ = ended.send(Driver { run, live, hub, told }.drive(snapshots, &waiting));
    });
    let writing = writing.map_err(system)?;
    if let Some(begin) = options.sources {
        begin(Submitter { writer: held.clone(), runtime: runtime.handle().clone() });
    }
    tracing::info!(%address, "listening");
    ready(address);
    let result = runtime.block_on(async {
        tokio::select! {
            () = accept(listener, shared) => Ok(()),
            () = told_to.to_end() => Ok(()),
            failed = fault => failed.unwrap_or(Ok(())),
        }
    });
    ending.store(true, Ordering::Relaxed);
    held.lock().unwrap_or_else(PoisonError::into_inner).take();
    runtime.shutdown_timeout(Duration::from_secs(1));
    // Every handle of the writer is gone now: it commits what is open and ends.
    let _ = writing.join();
    match &result {
        Ok(()) => tracing::info!("ended"),
        Err(fault) => tracing::error!(cause = fault.word(), %fault, "ended"),
    }
    result.map_err(Ended::Log)
}

async fn accept(listener: TcpListener, shared: Shared) {
    let longest = shared.longest;
    let (app, places) = (router(shared), Arc::new(Semaphore::new(MOST_CONNECTIONS)));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        // A connection that was refused by the system is no reason to end; one that waits is taken next.
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let _place = place;
            let _ = socket.set_nodelay(true);
            let mut socket = Box::pin(TimeoutStream::new(socket));
            socket.as_mut().set_write_timeout_pinned(Some(longest));
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(socket), service);
            // What a client broke off is the client's.
            let _ = connection.await;
        });
    }
}

/// SIGTERM and SIGINT, held from the moment this is made: what comes before somebody waits is not lost.
pub struct Told {
    term: Signal,
    interrupt: Signal,
}

impl Told {
    /// Holds them. Within a runtime.
    ///
    /// # Errors
    /// What the system says.
    pub fn hold() -> std::io::Result<Self> {
        Ok(Told { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits until the process is told to end.
    pub async fn to_end(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
