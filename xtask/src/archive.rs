//! Archives without times and owners: the same bytes every time.

use anyhow::Result;
use std::io::Write;

/// A file of an archive.
pub(crate) struct Entry<'e> {
    name: &'e str,
    mode: u32,
    bytes: &'e [u8],
}

impl<'e> Entry<'e> {
    pub(crate) fn file(name: &'e str, bytes: &'e [u8]) -> Self {
        let mode = 0o644;
        Self { name, mode, bytes }
    }

    pub(crate) fn program(name: &'e str, bytes: &'e [u8]) -> Self {
        let mode = 0o755;
        Self { name, mode, bytes }
    }
}

/// # Errors
/// When a name is too long for an archive.
pub(crate) fn tar(entries: &[Entry<'_>]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(entry.bytes.len())?);
        header.set_mode(entry.mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, entry.name, entry.bytes)?;
    }
    Ok(archive.into_inner()?)
}

/// # Errors
/// Never, in memory.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    // GzBuilder's defaults: no name, no time.
    let mut writer = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}
