//! What a plugin asks of the host it runs in.

/// Questions that are answered at once. What needs no answer goes out as
/// [`Effect`](super::Effect)s.
pub trait Host {
    /// Nanoseconds since 1970; 0 where the host has no clock.
    fn now_ns(&self) -> u64;

    /// A property by Envoy's path, in Envoy's encoding. Of the stream, where one is decided.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;

    /// The environment variables, `NAME=value` with a zero byte behind each.
    fn environment(&self) -> Vec<u8>;

    /// A value that all VMs of the process share, and the number to compare and swap by.
    fn shared_data(&self, key: &str) -> Option<(Vec<u8>, u32)>;

    /// Shares a value; `cas` 0 writes over whatever is there. `false`: somebody else wrote
    /// since `cas` was read. Where nothing can be shared, nobody was faster: `true`.
    fn set_shared_data(&self, key: &str, value: &[u8], cas: u32) -> bool;

    /// Sends `GET path` to a cluster. The answer comes under this token.
    ///
    /// # Errors
    /// Says why it was not sent.
    fn http_call(&self, cluster: &str, path: &str, timeout_us: u64) -> Result<u32, String>;

    /// Microseconds since 1970.
    fn now_us(&self) -> u64 {
        self.now_ns() / 1_000
    }
}
