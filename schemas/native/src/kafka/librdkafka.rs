//! The part of librdkafka's public C interface the core uses, of the very library confluent-kafka has loaded.
//!
//! The binding hands out no handle of a client. librdkafka itself tells its plugins of each client it makes: this
//! library is one, named to a client by `plugin.library.paths`. Everything unsafe about Kafka is in this file.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{NonNull, null, null_mut};
use std::slice::from_raw_parts;
use std::sync::OnceLock;

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

struct Functions {
    add_on_new: unsafe extern "C" fn(*mut c_void, *const c_char, OnNew, *mut c_void) -> c_int,
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

static FUNCTIONS: OnceLock<Functions> = OnceLock::new();

thread_local! {
    /// The client this thread made last. Making one and asking for it happen in one thread, one after the other.
    static MADE: Cell<*mut c_void> = const { Cell::new(null_mut()) };
}

/// Find librdkafka through a loaded library that depends on it: the binding's. Why not, where it is not there.
pub fn load(binding: &Path) -> Result<(), libloading::Error> {
    if FUNCTIONS.get().is_none() {
        // SAFETY: the library is loaded already, so nothing of it is run now; the signatures are those of rdkafka.h.
        let found = unsafe {
            let library = Library::new(binding)?;
            Functions {
                add_on_new: *library.get(b"rd_kafka_conf_interceptor_add_on_new\0")?,
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
    unsafe { (functions.add_on_new)(conf, c"driftline".as_ptr(), on_new, null_mut()) }
}

extern "C" fn on_new(client: *mut c_void, _: *const c_void, _: *mut c_void, _: *mut c_char, _: usize) -> c_int {
    MADE.set(client);
    0
}

/// A queue of its own for the messages of one client.
pub struct Queue {
    functions: &'static Functions,
    client: NonNull<c_void>,
    queue: NonNull<c_void>,
}

// SAFETY: librdkafka's queues and clients may be used by any thread.
unsafe impl Send for Queue {}
unsafe impl Sync for Queue {}

impl Queue {
    /// A queue at the client that this thread made last.
    ///
    /// # Safety
    /// The client is alive: making it did not fail. It outlives the queue and all messages taken from it.
    pub unsafe fn of_made() -> Option<Queue> {
        let (functions, client) = (FUNCTIONS.get()?, NonNull::new(MADE.replace(null_mut()))?);
        let queue = NonNull::new(unsafe { (functions.queue_new)(client.as_ptr()) })?;
        Some(Queue { functions, client, queue })
    }

    /// From now on messages of a partition, and its errors, come to this queue. A stop of it that librdkafka has still to
    /// serve would undo that, and they would come nowhere: where a seek was accepted there is none.
    pub fn follow(&self, topic: &CStr, partition: i32) -> bool {
        // SAFETY: client and queue are alive. A forwarded queue keeps what it is forwarded to; ours is only a reference.
        unsafe {
            let own = (self.functions.queue_get_partition)(self.client.as_ptr(), topic.as_ptr(), partition);
            if own.is_null() {
                return false;
            }
            (self.functions.queue_forward)(own, self.queue.as_ptr());
            (self.functions.queue_destroy)(own);
        }
        true
    }

    /// Add what comes to `messages`: up to its capacity, and until there are as many or the time is over.
    pub fn take(&self, timeout_ms: i32, limit: usize, messages: &mut Vec<Message>) {
        let before = messages.len();
        messages.reserve(limit);
        // SAFETY: there is room for `limit` pointers; as many as are counted were written, and are ours to destroy.
        unsafe {
            let room = messages.as_mut_ptr().add(before);
            let count = (self.functions.consume_batch_queue)(self.queue.as_ptr(), timeout_ms, room, limit);
            messages.set_len(before + count.max(0) as usize);
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: it was made here and is used no more.
        unsafe { (self.functions.queue_destroy)(self.queue.as_ptr()) }
    }
}

/// One message, or an error in its place.
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
        // SAFETY: it was taken from the queue and is destroyed once.
        unsafe { (Self::functions().message_destroy)(self.0.as_ptr()) }
    }
}

/// # Safety
/// A text that ends in a zero.
unsafe fn text(pointer: *const c_char) -> String {
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
