//! Chunks: what a walk has encoded, on its way to everyone who follows the walk.
//!
//! ```text
//!            oldest                                newest
//!   chunks:    | c7 | c8 | c9 | c10 | c11 | c12 |  <- push (walker)
//!                ^slowest         ^fastest
//!              at most lag_bytes_max   at most AHEAD_BYTES_MAX
//! ```
//!
//! Made by `snapshots` for one walk; the walker holds the [`Feed`], each follower its [`Subscription`].
//! Always: every follower gets all chunks in order or an error; a chunk is freed when the slowest has it; the walker
//! waits for the fastest follower only; who falls behind by more than its limit is cut off.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::snapshot::SnapshotError;
use crate::snapshot::buffer::{Buffer, Spares};

/// A chunk is handed over when it has reached this size; one that ends in a large value is larger. Larger: more memory
/// per follower. Smaller: more wake-ups and system calls.
pub const CHUNK_BYTES: usize = 128 * 1024;

/// The walk stays at most this far ahead of its fastest follower. Larger: more memory. Smaller: walker and sender take
/// turns instead of working side by side.
pub const AHEAD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A walk that had to wait goes on when its fastest follower is this close: one change of threads for many chunks.
const RESUME_BYTES: u64 = AHEAD_BYTES_MAX / 2;

/// How far behind the walk a follower may fall unless it says otherwise: Redis' hard limit for a replica's output.
pub const LAG_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How often a waiting walker looks whether it should give up.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Encoded bytes that never change again.
#[derive(Clone, Debug)]
pub struct Chunk(Arc<Body>);

#[derive(Debug)]
struct Body {
    /// None while it goes back.
    buffer: Option<Buffer>,
    spares: Arc<Spares>,
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.spares.keep(buffer);
        }
    }
}

impl Deref for Chunk {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.0.buffer.as_ref().map_or(&[], |buffer| buffer)
    }
}

/// Called, from the walker's thread, when a follower that found nothing should look again. It must not block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What a follower finds when it looks.
#[derive(Debug)]
pub enum Piece {
    Chunk(Chunk),
    /// Nothing yet; its `wake` will be called.
    NotYet,
    /// That was all.
    End,
}

struct Follower {
    /// Number of the next chunk it takes.
    next: u64,
    bytes_taken: u64,
    lag_bytes_max: u64,
    is_waiting: bool,
    wake: Option<Wake>,
    state: Attached,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attached {
    Yes,
    /// It left.
    Gone,
    TooSlow,
}

struct State {
    chunks: VecDeque<Chunk>,
    /// Number of the first chunk in `chunks`.
    first: u64,
    bytes_pushed: u64,
    bytes_held: u64,
    followers: Vec<Follower>,
    end: Option<Result<(), SnapshotError>>,
    is_cancelled: bool,
}

impl State {
    /// Bytes that the fastest follower has taken; `None` when all have gone.
    fn fastest(&self) -> Option<u64> {
        self.followers.iter().filter(|one| one.state == Attached::Yes).map(|one| one.bytes_taken).max()
    }

    /// Frees the chunks that everybody has.
    fn trim(&mut self) {
        let after_last = self.first + self.chunks.len() as u64;
        let attached = self.followers.iter().filter(|one| one.state == Attached::Yes);
        let needed = attached.map(|one| one.next).min().unwrap_or(after_last);
        while self.first < needed {
            let chunk = self.chunks.pop_front().expect("followers are not ahead of the walk");
            self.bytes_held -= chunk.len() as u64;
            self.first += 1;
        }
    }

    /// Cuts off who has fallen too far behind.
    fn cut_off(&mut self) {
        let pushed = self.bytes_pushed;
        for one in &mut self.followers {
            if one.state == Attached::Yes && pushed - one.bytes_taken > one.lag_bytes_max {
                one.state = Attached::TooSlow;
            }
        }
    }

    fn sleepers(&mut self) -> Vec<Wake> {
        let wake = |one: &mut Follower| {
            let was_waiting = std::mem::take(&mut one.is_waiting);
            if was_waiting { one.wake.clone() } else { None }
        };
        self.followers.iter_mut().filter_map(wake).collect()
    }
}

/// The walker's end.
pub struct Feed {
    state: Mutex<State>,
    /// The walker waits here for the fastest follower.
    room: Condvar,
    /// Followers that block wait here.
    news: Condvar,
    spares: Arc<Spares>,
}

/// How one follower wants to be treated. `wake` is `None` for a follower that only ever blocks.
pub struct Terms {
    pub lag_bytes_max: u64,
    pub wake: Option<Wake>,
}

impl Feed {
    /// A feed with its followers, who are all there before the walk begins.
    pub fn new(terms: Vec<Terms>) -> (Arc<Feed>, Vec<Subscription>) {
        let count = terms.len();
        let follower = |terms: Terms| Follower {
            next: 0,
            bytes_taken: 0,
            // A follower may always be as far behind as the walk may run ahead of it.
            lag_bytes_max: terms.lag_bytes_max.max(2 * AHEAD_BYTES_MAX),
            is_waiting: false,
            wake: terms.wake,
            state: Attached::Yes,
        };
        let state = State {
            chunks: VecDeque::new(),
            first: 0,
            bytes_pushed: 0,
            bytes_held: 0,
            followers: terms.into_iter().map(follower).collect(),
            end: None,
            is_cancelled: false,
        };
        let feed = Arc::new(Feed {
            state: Mutex::new(state),
            room: Condvar::new(),
            news: Condvar::new(),
            spares: Arc::default(),
        });
        let subscriptions = (0..count).map(|index| Subscription { feed: feed.clone(), index }).collect();
        (feed, subscriptions)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half done by a panic: every section changes counters that are checked before use.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty buffer for the next chunk.
    pub fn buffer(&self) -> Buffer {
        self.spares.take()
    }

    /// Hands a chunk to everybody, waiting while the fastest follower is [`AHEAD_BYTES_MAX`] behind.
    ///
    /// # Errors
    /// `Abandoned` without followers, `Cancelled`, or whatever `give_up` says while the walker waits.
    pub fn push(
        &self,
        chunk: impl Into<Buffer>,
        give_up: impl Fn() -> Option<SnapshotError>,
    ) -> Result<(), SnapshotError> {
        let mut state = self.state();
        let mut ahead_max = AHEAD_BYTES_MAX;
        loop {
            if state.is_cancelled {
                return Err(SnapshotError::Cancelled);
            }
            let fastest = state.fastest().ok_or(SnapshotError::Abandoned)?;
            if state.bytes_pushed - fastest < ahead_max {
                break;
            }
            ahead_max = RESUME_BYTES;
            if let Some(error) = give_up() {
                return Err(error);
            }
            state = self.room.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
        let buffer = chunk.into();
        state.bytes_pushed += buffer.len() as u64;
        state.bytes_held += buffer.len() as u64;
        let body = Body { buffer: Some(buffer), spares: self.spares.clone() };
        state.chunks.push_back(Chunk(Arc::new(body)));
        state.cut_off();
        state.trim();
        self.tell(state);
        Ok(())
    }

    /// The walk is over, one way or the other. Only the first call counts.
    pub fn finish(&self, end: Result<(), SnapshotError>) {
        let mut state = self.state();
        if state.end.is_some() {
            return;
        }
        if end.is_err() {
            state.first += state.chunks.len() as u64;
            state.chunks.clear();
            state.bytes_held = 0;
        }
        state.end = Some(end);
        self.tell(state);
    }

    /// Asks the walker to end.
    pub fn cancel(&self) {
        self.state().is_cancelled = true;
        self.room.notify_all();
    }

    /// Should the walker end, because it was told to or because nobody follows any more?
    pub fn stop_reason(&self) -> Option<SnapshotError> {
        let state = self.state();
        if state.is_cancelled {
            return Some(SnapshotError::Cancelled);
        }
        state.fastest().is_none().then_some(SnapshotError::Abandoned)
    }

    /// Bytes of chunks that are in memory for this walk.
    pub fn bytes_held(&self) -> u64 {
        self.state().bytes_held
    }

    fn tell(&self, mut state: MutexGuard<'_, State>) {
        let sleepers = state.sleepers();
        drop(state);
        self.news.notify_all();
        sleepers.iter().for_each(|wake| wake());
    }
}

/// One follower's end. Dropping it leaves the walk.
pub struct Subscription {
    feed: Arc<Feed>,
    index: usize,
}

impl Subscription {
    /// The next chunk, if there is one; never waits.
    ///
    /// # Errors
    /// Why the walk, or this follower's share in it, failed: nothing of what was received may be used then.
    pub fn try_next(&mut self) -> Result<Piece, SnapshotError> {
        let mut state = self.feed.state();
        self.look(&mut state)
    }

    /// The next chunk, waiting for it; `None` after the last one.
    ///
    /// # Errors
    /// As for `try_next`.
    pub fn wait_next(&mut self) -> Result<Option<Chunk>, SnapshotError> {
        let mut state = self.feed.state();
        loop {
            match self.look(&mut state)? {
                Piece::Chunk(chunk) => return Ok(Some(chunk)),
                Piece::End => return Ok(None),
                Piece::NotYet => {
                    state = self.feed.news.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// How many bytes of the walk have not been taken yet, as far as it has come.
    pub fn bytes_behind(&self) -> u64 {
        let state = self.feed.state();
        state.bytes_pushed - state.followers[self.index].bytes_taken
    }

    fn look(&self, state: &mut State) -> Result<Piece, SnapshotError> {
        let follower = &state.followers[self.index];
        match (follower.state, state.end) {
            (Attached::TooSlow, _) => return Err(SnapshotError::TooSlow),
            (Attached::Yes | Attached::Gone, Some(Err(error))) => return Err(error),
            (Attached::Yes | Attached::Gone, Some(Ok(())) | None) => {}
        }
        let at = (follower.next - state.first) as usize;
        let Some(chunk) = state.chunks.get(at).cloned() else {
            let has_ended = state.end.is_some();
            state.followers[self.index].is_waiting = !has_ended;
            return Ok(if has_ended { Piece::End } else { Piece::NotYet });
        };
        let follower = &mut state.followers[self.index];
        follower.next += 1;
        follower.bytes_taken += chunk.len() as u64;
        let is_close = state.bytes_pushed - follower.bytes_taken < RESUME_BYTES;
        state.trim();
        if is_close {
            self.feed.room.notify_one();
        }
        Ok(Piece::Chunk(chunk))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.feed.state();
        state.followers[self.index].state = Attached::Gone;
        state.followers[self.index].wake = None;
        state.trim();
        drop(state);
        self.feed.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::{AHEAD_BYTES_MAX, CHUNK_BYTES, Feed, Piece, Terms};
    use crate::snapshot::SnapshotError;

    fn terms(lag_bytes_max: u64) -> Terms {
        Terms { lag_bytes_max, wake: None }
    }

    fn never() -> Option<SnapshotError> {
        None
    }

    #[test]
    fn everybody_gets_all_chunks_in_order_at_their_own_speed() {
        let (feed, subscriptions) = Feed::new((0..3).map(|_| terms(u64::MAX)).collect());
        let followers: Vec<_> = subscriptions
            .into_iter()
            .enumerate()
            .map(|(slowness, mut subscription)| {
                std::thread::spawn(move || {
                    let mut sum = Vec::new();
                    while let Some(chunk) = subscription.wait_next().expect("the walk succeeds") {
                        sum.push(chunk[0]);
                        std::thread::sleep(std::time::Duration::from_micros(slowness as u64 * 100));
                    }
                    sum
                })
            })
            .collect();
        let sent: Vec<u8> = (0..200).collect();
        for byte in &sent {
            feed.push(vec![*byte; CHUNK_BYTES], never).expect("somebody follows");
        }
        feed.finish(Ok(()));
        for follower in followers {
            assert_eq!(follower.join().expect("no panic"), sent);
        }
        assert_eq!(feed.bytes_held(), 0);
    }

    #[test]
    fn a_follower_too_far_behind_is_cut_off_and_the_others_go_on() {
        let (feed, mut subscriptions) = Feed::new(vec![terms(0), terms(0)]);
        let mut fast = subscriptions.remove(0);
        let mut slow = subscriptions.remove(0);
        for _ in 0..(3 * AHEAD_BYTES_MAX as usize / CHUNK_BYTES) {
            feed.push(vec![0; CHUNK_BYTES], never).expect("somebody follows");
            assert!(matches!(fast.try_next(), Ok(Piece::Chunk(_))));
            assert!(feed.bytes_held() <= 3 * AHEAD_BYTES_MAX);
        }
        assert_eq!(slow.try_next().expect_err("cut off"), SnapshotError::TooSlow);
        assert_eq!(feed.bytes_held(), 0);
        feed.finish(Ok(()));
        assert!(matches!(fast.try_next(), Ok(Piece::End)));
    }

    #[test]
    fn the_walk_ends_when_all_have_left_and_followers_learn_of_its_failure() {
        let (feed, subscriptions) = Feed::new(vec![terms(0)]);
        drop(subscriptions);
        assert_eq!(feed.push(vec![0], never), Err(SnapshotError::Abandoned));
        let (feed, mut subscriptions) = Feed::new(vec![terms(0)]);
        feed.push(vec![0], never).expect("somebody follows");
        feed.finish(Err(SnapshotError::TooManyChanges));
        assert_eq!(subscriptions[0].try_next().expect_err("failed"), SnapshotError::TooManyChanges);
    }

    #[test]
    fn followers_at_different_places_leave_a_failed_walk_one_by_one() {
        let (feed, mut subscriptions) = Feed::new((0..3).map(|_| terms(0)).collect());
        for _ in 0..4 {
            feed.push(vec![0], never).expect("somebody follows");
        }
        for (taken, subscription) in subscriptions.iter_mut().enumerate() {
            (0..=taken).for_each(|_| assert!(matches!(subscription.try_next(), Ok(Piece::Chunk(_)))));
        }
        feed.finish(Err(SnapshotError::Cancelled));
        for mut subscription in subscriptions {
            assert_eq!(subscription.try_next().expect_err("failed"), SnapshotError::Cancelled);
        }
        assert_eq!(feed.bytes_held(), 0);
    }

    #[test]
    fn who_found_nothing_is_woken_once() {
        let calls = Arc::new(AtomicUsize::new(0));
        let seen = calls.clone();
        let wake = Arc::new(move || {
            seen.fetch_add(1, Relaxed);
        });
        let (feed, mut subscriptions) = Feed::new(vec![Terms { lag_bytes_max: 0, wake: Some(wake) }]);
        feed.push(vec![1], never).expect("somebody follows");
        assert_eq!(calls.load(Relaxed), 0);
        assert!(matches!(subscriptions[0].try_next(), Ok(Piece::Chunk(_))));
        assert!(matches!(subscriptions[0].try_next(), Ok(Piece::NotYet)));
        feed.push(vec![2], never).expect("somebody follows");
        feed.push(vec![3], never).expect("somebody follows");
        assert_eq!(calls.load(Relaxed), 1);
    }
}
