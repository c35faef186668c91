//! Reading and writing the guest's memory during a host call.

use crate::abi::Status;
use crate::host::Host;
use wasmtime::Caller;

/// A guest that has called the host.
pub(crate) struct Guest<'c> {
    caller: Caller<'c, Host>,
}

/// A place in the guest's memory, and how many bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) length: u32,
}

impl Span {
    pub(crate) fn new(start: u32, length: u32) -> Self {
        Self { start, length }
    }

    fn range(self) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(self.start).ok()?;
        let length = usize::try_from(self.length).ok()?;
        Some(start..start.checked_add(length)?)
    }
}

impl<'c> Guest<'c> {
    pub(crate) fn new(caller: Caller<'c, Host>) -> Self {
        Self { caller }
    }

    pub(crate) fn host(&self) -> &Host {
        self.caller.data()
    }

    pub(crate) fn host_mut(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    /// The bytes at `span`, and the host beside them.
    pub(crate) fn read(&mut self, span: Span) -> Result<(&[u8], &mut Host), Status> {
        let memory = self.host().memory.ok_or(Status::InvalidMemoryAccess)?;
        let (data, host) = memory.data_and_store_mut(&mut self.caller);
        let range = span.range().ok_or(Status::InvalidMemoryAccess)?;
        let bytes = data.get(range).ok_or(Status::InvalidMemoryAccess)?;
        Ok((bytes, host))
    }

    /// A copy of the bytes at `span`.
    pub(crate) fn copy(&mut self, span: Span) -> Result<Vec<u8>, Status> {
        Ok(self.read(span)?.0.to_vec())
    }

    /// The text at `span`; bytes that are not UTF-8 are replaced.
    pub(crate) fn text(&mut self, span: Span) -> Result<String, Status> {
        Ok(String::from_utf8_lossy(self.read(span)?.0).into_owned())
    }

    /// Writes `bytes` at `start`.
    pub(crate) fn write(&mut self, start: u32, bytes: &[u8]) -> Result<(), Status> {
        let memory = self.host().memory.ok_or(Status::InvalidMemoryAccess)?;
        let start = usize::try_from(start).map_err(|_| Status::InvalidMemoryAccess)?;
        let written = memory.write(&mut self.caller, start, bytes);
        written.map_err(|_| Status::InvalidMemoryAccess)
    }

    pub(crate) fn write_number(&mut self, place: u32, number: u32) -> Result<(), Status> {
        self.write(place, &number.to_le_bytes())
    }

    /// Hands `bytes` over in memory that the guest allocates; its address and size go to
    /// `address_to` and `size_to`. No bytes: a null address, as Envoy.
    pub(crate) fn give(
        &mut self,
        bytes: &[u8],
        address_to: u32,
        size_to: u32,
    ) -> Result<(), Status> {
        let length = u32::try_from(bytes.len()).map_err(|_| Status::InternalFailure)?;
        let address = if bytes.is_empty() {
            0
        } else {
            self.allocate(length)?
        };
        if !bytes.is_empty() {
            self.write(address, bytes)?;
        }
        self.write_number(address_to, address)?;
        self.write_number(size_to, length)
    }

    /// As [`Guest::give`], of what `fill` writes or else the status it answers with.
    pub(crate) fn give_filled(
        &mut self,
        address_to: u32,
        size_to: u32,
        fill: impl FnOnce(&Host, &mut Vec<u8>) -> Result<(), Status>,
    ) -> Result<(), Status> {
        let mut scratch = std::mem::take(&mut self.host_mut().scratch);
        scratch.clear();
        let given =
            fill(self.host(), &mut scratch).and_then(|()| self.give(&scratch, address_to, size_to));
        self.host_mut().scratch = scratch;
        given
    }

    fn allocate(&mut self, length: u32) -> Result<u32, Status> {
        let allocate = self.host().allocate.clone();
        let allocate = allocate.ok_or(Status::InvalidMemoryAccess)?;
        let address = allocate.call(&mut self.caller, length);
        // A trap in here means the guest is out of memory; its next call traps again.
        address
            .ok()
            .filter(|address| *address != 0)
            .ok_or(Status::InvalidMemoryAccess)
    }
}
