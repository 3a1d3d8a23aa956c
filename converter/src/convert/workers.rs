//! The threads that files are converted on: always the same few, and never more than may be busy at once. A thread
//! that goes from file to file keeps its processor, its caches and its part of the heap; work that is handed to any
//! thread that happens to be free was seen to leave a processor idle for as long as a file takes.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::error::StageError;
use crate::read::guarded;

type Job = Box<dyn FnOnce() + Send>;

/// They end when this is dropped and their last job is done.
#[derive(Debug)]
pub(super) struct Workers {
    jobs: Sender<Job>,
}

impl Workers {
    /// # Errors
    /// When the system gives no more threads.
    pub fn start(count: usize) -> Result<Self, StageError> {
        let (jobs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..count {
            let (waiting, runtime) = (Arc::clone(&waiting), Handle::current());
            let thread = thread::Builder::new().name("convert".to_owned()).spawn(move || work(&waiting, &runtime));
            thread.map_err(|source| StageError::corrupt("the system's supply of threads", source))?;
        }
        Ok(Self { jobs })
    }

    /// Waits for its turn, in order. The error is what a panic said.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
        let (tell, done) = oneshot::channel();
        let gone = || "the threads that convert are gone".to_owned();
        // Nobody listens where the stage has ended already.
        self.jobs.send(Box::new(move || drop(tell.send(guarded(job))))).map_err(|_| gone())?;
        done.await.map_err(|_| gone())?
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, runtime: &Handle) {
    let _in_runtime = runtime.enter();
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { break };
        job();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::time::Duration;

    #[tokio::test]
    async fn a_few_threads_do_all_the_work() {
        let workers = Workers::start(2).unwrap();
        let slow = || {
            thread::sleep(Duration::from_millis(2));
            thread::current().id()
        };
        let threads = futures::future::try_join_all((0..20).map(|_| workers.run(slow))).await.unwrap();
        assert_eq!(threads.into_iter().collect::<HashSet<_>>().len(), 2);
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_job_only() {
        let workers = Workers::start(1).unwrap();
        let panicked: Result<u32, String> = workers.run(|| panic!("a hostile file")).await;
        assert_eq!(panicked, Err("a hostile file".to_owned()));
        assert_eq!(workers.run(|| Handle::current().block_on(async { 7 })).await, Ok(7));
    }
}
