//! The part of librdkafka's public C interface the core uses, of the very library confluent-kafka has loaded.
//!
//! The binding hands out no handle of a client. librdkafka itself tells its plugins of each client it makes: this
//! library is one, named to a client by `plugin.library.paths`. Everything unsafe about Kafka is in this file.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{NonNull, null, null_mut};
use std::slice::from_raw_parts;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use libloading::Library;

/// `rd_kafka_message_t`.
#[repr(C)]
struct Fields {
    error: c_int,
    topic: *mut c_void,
    partition: i32,
    payload: *const u8,
    length: usize,
    key: *const u8,
    key_length: usize,
    offset: i64,
    private: *mut c_void,
}

type OnNew = extern "C" fn(*mut c_void, *const c_void, *mut c_void, *mut c_char, usize) -> c_int;
type OnError = extern "C" fn(*mut c_void, c_int, *const c_char, *mut c_void);
type OnDestroy = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

struct Functions {
    add_on_new: unsafe extern "C" fn(*mut c_void, *const c_char, OnNew, *mut c_void) -> c_int,
    add_on_destroy: unsafe extern "C" fn(*mut c_void, *const c_char, OnDestroy, *mut c_void) -> c_int,
    conf_set_error_cb: unsafe extern "C" fn(*mut c_void, OnError),
    queue_new: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    queue_destroy: unsafe extern "C" fn(*mut c_void),
    queue_get_partition: unsafe extern "C" fn(*mut c_void, *const c_char, i32) -> *mut c_void,
    queue_forward: unsafe extern "C" fn(*mut c_void, *mut c_void),
    consume_batch_queue: unsafe extern "C" fn(*mut c_void, c_int, *mut Message, usize) -> isize,
    message_destroy: unsafe extern "C" fn(*mut Fields),
    message_errstr: unsafe extern "C" fn(*const Fields) -> *const c_char,
    message_timestamp: unsafe extern "C" fn(*const Fields, *mut c_int) -> i64,
    message_headers: unsafe extern "C" fn(*const Fields, *mut *const c_void) -> c_int,
    header_get_all:
        unsafe extern "C" fn(*const c_void, usize, *mut *const c_char, *mut *const c_void, *mut usize) -> c_int,
    topic_name: unsafe extern "C" fn(*const c_void) -> *const c_char,
    _library: Library,
}

const NAME: &CStr = c"driftline";
const CLOSED: &str = "closed: the client is gone, or about to go";

static FUNCTIONS: OnceLock<Functions> = OnceLock::new();

thread_local! {
    /// The client this thread made last. Making one and asking for it happen in one thread, one after the other.
    static MADE: Cell<Option<Arc<Client>>> = const { Cell::new(None) };
}

/// Find librdkafka through a loaded library that depends on it: the binding's. Why not, where it is not there.
pub fn load(binding: &Path) -> Result<(), libloading::Error> {
    if FUNCTIONS.get().is_none() {
        // SAFETY: the library is loaded already, so nothing of it is run now; the signatures are those of rdkafka.h.
        let found = unsafe {
            let library = Library::new(binding)?;
            Functions {
                add_on_new: *library.get(b"rd_kafka_conf_interceptor_add_on_new\0")?,
                add_on_destroy: *library.get(b"rd_kafka_interceptor_add_on_destroy\0")?,
                conf_set_error_cb: *library.get(b"rd_kafka_conf_set_error_cb\0")?,
                queue_new: *library.get(b"rd_kafka_queue_new\0")?,
                queue_destroy: *library.get(b"rd_kafka_queue_destroy\0")?,
                queue_get_partition: *library.get(b"rd_kafka_queue_get_partition\0")?,
                queue_forward: *library.get(b"rd_kafka_queue_forward\0")?,
                consume_batch_queue: *library.get(b"rd_kafka_consume_batch_queue\0")?,
                message_destroy: *library.get(b"rd_kafka_message_destroy\0")?,
                message_errstr: *library.get(b"rd_kafka_message_errstr\0")?,
                message_timestamp: *library.get(b"rd_kafka_message_timestamp\0")?,
                message_headers: *library.get(b"rd_kafka_message_headers\0")?,
                header_get_all: *library.get(b"rd_kafka_header_get_all\0")?,
                topic_name: *library.get(b"rd_kafka_topic_name\0")?,
                _library: library,
            }
        };
        let _ = FUNCTIONS.set(found);
    }
    Ok(())
}

/// Called by librdkafka for each configuration that names this library a plugin; 0 is "no error".
///
/// # Safety
/// `conf` is a configuration under construction, `why` has room for `size` characters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conf_init(conf: *mut c_void, _: *mut *mut c_void, why: *mut c_char, size: usize) -> c_int {
    let Some(functions) = FUNCTIONS.get() else {
        if size > 0 {
            unsafe { *why = 0 };
        }
        return -1;
    };
    unsafe { (functions.add_on_new)(conf, NAME.as_ptr(), on_new, null_mut()) }
}

/// What a client calls for an error that is no message's, in place of what the binding has for that.
///
/// Where a topic is gone, or may not be read any more, librdkafka puts such an error into the queue of each partition, and
/// calls back whoever serves that: us. The binding's callback ends the process (SIGABRT) where the thread is not in a call
/// of its own. Nothing is lost: what ends a consumer comes as a message, and the rest is in the log.
extern "C" fn on_error(_: *mut c_void, _: c_int, _: *const c_char, _: *mut c_void) {}

/// Called by librdkafka for each client it makes. Without word of the client's end there is no use of it.
extern "C" fn on_new(handle: *mut c_void, conf: *const c_void, _: *mut c_void, _: *mut c_char, _: usize) -> c_int {
    let (Some(functions), Some(handle)) = (FUNCTIONS.get(), NonNull::new(handle)) else { return -1 };
    let client = Arc::new(Client { functions, handle, queue: RwLock::default(), runs: Mutex::default() });
    let own = Arc::into_raw(client.clone());
    // SAFETY: the client is under construction, and `own` is given back once: by `on_destroy`, or below.
    // `conf` is the client's own by now, and it has no thread yet.
    unsafe {
        (functions.conf_set_error_cb)(conf.cast_mut(), on_error);
        let code = (functions.add_on_destroy)(handle.as_ptr(), NAME.as_ptr(), on_destroy, own.cast_mut().cast());
        if code == 0 {
            MADE.set(Some(client));
        } else {
            drop(Arc::from_raw(own));
        }
        code
    }
}

/// Called by librdkafka once for each client, before anything of it is taken down, and also where making it failed.
///
/// # Safety
/// `own` is what `on_new` made of an `Arc` of a client.
unsafe extern "C" fn on_destroy(_: *mut c_void, own: *mut c_void) -> c_int {
    unsafe { Arc::from_raw(own.cast_const().cast::<Client>()) }.close();
    0
}

/// A client that librdkafka told of, and all that is held of it.
///
/// Whoever uses the client or what is its own holds one of the locks meanwhile, and looks first whether it is there still.
/// `close` waits for them and gives everything back; librdkafka takes the client down when `on_destroy`, which calls it,
/// has returned. So nothing is used that is gone, whoever closes the client, whenever, in whichever thread. Nobody who
/// holds a lock waits for more than messages with a timeout, or for Python's, which `close` must be called without.
pub struct Client {
    functions: &'static Functions,
    handle: NonNull<c_void>,
    queue: RwLock<Queue>,
    runs: Mutex<Vec<Arc<Run>>>,
}

// SAFETY: librdkafka's queues and clients may be used by any thread.
unsafe impl Send for Client {}
unsafe impl Sync for Client {}

/// A queue of its own for the messages of one client.
#[derive(Default)]
enum Queue {
    #[default]
    NotYet,
    Open(NonNull<c_void>),
    Closed,
}

/// Messages of one client that were taken together, none once it is closed.
pub struct Run(RwLock<Vec<Message>>);

impl Client {
    /// The client that this thread made last, with a queue; once only. None where there is none, or it is gone.
    pub fn made() -> Option<Arc<Client>> {
        let client = MADE.take()?;
        {
            let mut queue = client.queue.write().unwrap_or_else(PoisonError::into_inner);
            let Queue::NotYet = *queue else { return None };
            // SAFETY: it is not closed, so it is there, and stays for as long as the lock is held.
            *queue = Queue::Open(NonNull::new(unsafe { (client.functions.queue_new)(client.handle.as_ptr()) })?);
        }
        Some(client)
    }

    /// From now on messages of a partition, and its errors, come to this queue. A stop of it that librdkafka has still to
    /// serve would undo that, and they would come nowhere: where a seek was accepted there is none.
    pub fn follow(&self, topic: &CStr, partition: i32) -> Result<(), &'static str> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let Queue::Open(queue) = *queue else { return Err(CLOSED) };
        // SAFETY: an open queue and its client are there while the lock is held. A forwarded queue keeps what it is
        // forwarded to; ours is only a reference.
        unsafe {
            let own = (self.functions.queue_get_partition)(self.handle.as_ptr(), topic.as_ptr(), partition);
            if own.is_null() {
                return Err("librdkafka has no queue for this partition");
            }
            (self.functions.queue_forward)(own, queue.as_ptr());
            (self.functions.queue_destroy)(own);
        }
        Ok(())
    }

    /// Up to `limit` messages, as soon as there is one or the time is over, in runs as `cut` makes them.
    pub fn take<T>(
        &self,
        timeout_ms: i32,
        limit: usize,
        cut: impl FnOnce(Vec<Message>) -> Vec<(Vec<Message>, T)>,
    ) -> Result<Vec<(Arc<Run>, T)>, &'static str> {
        // The lock goes last: until it does, each message gets into a run that `close` knows, or is destroyed.
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let Queue::Open(queue) = *queue else { return Err(CLOSED) };
        let mut messages = Vec::with_capacity(limit);
        self.add(queue, timeout_ms, 1, &mut messages);
        if !messages.is_empty() && limit > 1 {
            self.add(queue, 0, limit - 1, &mut messages);
        }
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|run| Arc::strong_count(run) > 1);
        let known = |(messages, more)| {
            let run = Arc::new(Run(RwLock::new(messages)));
            runs.push(run.clone());
            (run, more)
        };
        Ok(cut(messages).into_iter().map(known).collect())
    }

    /// Add what comes to `messages`, until there are `limit` more or the time is over.
    fn add(&self, queue: NonNull<c_void>, timeout_ms: i32, limit: usize, messages: &mut Vec<Message>) {
        let before = messages.len();
        messages.reserve(limit);
        // SAFETY: who calls holds the lock of the open queue. There is room for `limit` pointers; as many as are counted
        // were written, and are ours to destroy.
        unsafe {
            let room = messages.as_mut_ptr().add(before);
            let count = (self.functions.consume_batch_queue)(queue.as_ptr(), timeout_ms, room, limit);
            messages.set_len(before + count.max(0) as usize);
        }
    }

    /// Give everything back: what was taken, what was not, the queue. To be called without Python's lock.
    pub fn close(&self) {
        let mut queue = self.queue.write().unwrap_or_else(PoisonError::into_inner);
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|run| run.close());
        if let Queue::Open(queue) = std::mem::replace(&mut *queue, Queue::Closed) {
            // SAFETY: it was made here, the client is there until `on_destroy` has returned, and nobody can use it now.
            unsafe { (self.functions.queue_destroy)(queue.as_ptr()) }
        }
    }
}

impl Run {
    /// Its messages, which stay while this is held.
    pub fn messages(&self) -> RwLockReadGuard<'_, Vec<Message>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called by its only reader when it is done. So a run that only the client knows is empty.
    pub fn close(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// One message, or an error in its place. There is none outside of a `Run`, or of `Client::take` that makes one.
#[repr(transparent)]
pub struct Message(NonNull<Fields>);

// SAFETY: a message belongs to whoever took it; only its destruction touches the client, which takes any thread. Its
// headers are parsed when they are asked for, which only happens with Python's lock held.
unsafe impl Send for Message {}
unsafe impl Sync for Message {}

impl Message {
    fn fields(&self) -> &Fields {
        // SAFETY: it lives until it is dropped.
        unsafe { self.0.as_ref() }
    }

    fn functions() -> &'static Functions {
        FUNCTIONS.get().expect("whoever has a message has the library")
    }

    /// Whether it is of the same partition.
    #[inline]
    pub fn beside(&self, other: &Message) -> bool {
        let (own, other) = (self.fields(), other.fields());
        own.partition == other.partition && own.topic == other.topic
    }

    #[inline]
    pub fn is_error(&self) -> bool {
        self.fields().error != 0
    }

    /// Code and text.
    pub fn error(&self) -> Option<(i32, String)> {
        // SAFETY: the text is the message's, or constant.
        self.is_error()
            .then(|| (self.fields().error, unsafe { text((Self::functions().message_errstr)(self.0.as_ptr())) }))
    }

    /// Empty for an error that is no topic's.
    pub fn topic(&self) -> String {
        let topic = self.fields().topic;
        // SAFETY: a message keeps its topic.
        if topic.is_null() { String::new() } else { unsafe { text((Self::functions().topic_name)(topic)) } }
    }

    pub fn partition(&self) -> i32 {
        self.fields().partition
    }

    #[inline]
    pub fn offset(&self) -> i64 {
        self.fields().offset
    }

    /// Its timestamp, -1 where it has none.
    #[inline]
    pub fn time_ms(&self) -> i64 {
        let mut kind = 0;
        // SAFETY: the message is alive.
        let time_ms = unsafe { (Self::functions().message_timestamp)(self.0.as_ptr(), &mut kind) };
        if kind == 0 { -1 } else { time_ms }
    }

    #[inline]
    pub fn value(&self) -> Option<&[u8]> {
        let fields = self.fields();
        // SAFETY: where a pointer is not null, so many bytes are there, for as long as the message is.
        (!fields.payload.is_null()).then(|| unsafe { from_raw_parts(fields.payload, fields.length) })
    }

    pub fn key(&self) -> Option<&[u8]> {
        let fields = self.fields();
        // SAFETY: as for the value.
        (!fields.key.is_null()).then(|| unsafe { from_raw_parts(fields.key, fields.key_length) })
    }

    pub fn headers(&self) -> Vec<(String, Option<&[u8]>)> {
        let (functions, mut headers, mut found) = (Self::functions(), null(), Vec::new());
        // SAFETY: names and values are the message's, valid for as long as it is; 0 is "no error", else there is none.
        unsafe {
            if (functions.message_headers)(self.0.as_ptr(), &mut headers) != 0 {
                return found;
            }
            let (mut name, mut value, mut length) = (null(), null(), 0);
            while (functions.header_get_all)(headers, found.len(), &mut name, &mut value, &mut length) == 0 {
                let value = (!value.is_null()).then(|| from_raw_parts(value.cast(), length));
                found.push((text(name), value));
            }
        }
        found
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: it was taken from the queue and is destroyed once, before its client: see `Client`.
        unsafe { (Self::functions().message_destroy)(self.0.as_ptr()) }
    }
}

/// # Safety
/// A text that ends in a zero.
unsafe fn text(pointer: *const c_char) -> String {
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
