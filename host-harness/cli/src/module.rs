//! Where the module's `.wasm` is.

use std::path::{Path, PathBuf};

use anyhow::Context;
use host_harness::Module;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use limpet_envoy::progress::Progress;

/// Nobody knows where the module is.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Neither the flag nor the variable nor the build has it.
    #[error(
        "the module is not at {looked}; build it with `cargo xtask wasm`, or name it with --wasm \
         or LIMPET_WASM"
    )]
    NotFound {
        /// Where it was looked for last.
        looked: String,
    },
    /// There, but unreadable.
    #[error("{path}: cannot be read")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The module's file: `--wasm`, else `LIMPET_WASM`, else `../module/limpet.wasm` seen from the
/// folder of this binary (`target/debug`, `target/debug/deps`).
///
/// # Errors
/// When there is no such file.
pub fn find(flag: Option<&Path>) -> Result<PathBuf, ModuleError> {
    let named = flag
        .map(Path::to_owned)
        .or_else(|| std::env::var_os("LIMPET_WASM").map(Into::into));
    let candidates = match named {
        Some(path) => vec![path],
        None => beside_this_binary(),
    };
    match candidates.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(ModuleError::NotFound {
            looked: candidates
                .first()
                .map_or_else(String::new, |p| p.display().to_string()),
        }),
    }
}

fn beside_this_binary() -> Vec<PathBuf> {
    let binary = std::env::current_exe().unwrap_or_default();
    binary
        .ancestors()
        .skip(2)
        .take(3)
        .map(|folder| folder.join("module/limpet.wasm"))
        .collect()
}

/// This program's version, and the module it would use, by its SHA-256.
#[must_use]
pub fn version() -> String {
    let own = env!("CARGO_PKG_VERSION");
    let module =
        find(None)
            .map_err(|error| error.to_string())
            .and_then(|path| match std::fs::read(&path) {
                Ok(bytes) => Ok(format!(
                    "sha256:{:x} {}",
                    Sha256::digest(bytes),
                    path.display()
                )),
                Err(error) => Err(format!("{}: {error}", path.display())),
            });
    match module {
        Ok(module) => format!("{own}\nmodule {module}"),
        Err(why) => format!("{own}\nno module: {why}"),
    }
}

/// Reads and compiles the module; the machine code is kept in the user's cache folder, so that
/// it is compiled once.
///
/// # Errors
/// When the file cannot be read or is no module.
pub fn load(path: &Path) -> anyhow::Result<Module> {
    let read = |source| ModuleError::Read {
        path: path.display().to_string(),
        source,
    };
    let _progress = Progress::of("compiling the module, once");
    let bytes = std::fs::read(path).map_err(read)?;
    let module = match cache_folder() {
        Some(folder) => {
            let digest = Sha1::digest(&bytes);
            let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            Module::compile_kept(&bytes, &folder.join(format!("{name}.cwasm")))
        }
        None => Module::compile(&bytes),
    };
    module.with_context(|| path.display().to_string())
}

/// `$XDG_CACHE_HOME/limpet/compiled`, by default `~/.cache/limpet/compiled`; `None` where it
/// cannot be made for this user alone: what stands there is run.
fn cache_folder() -> Option<PathBuf> {
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache"),
    };
    let folder = cache.join("limpet/compiled");
    std::fs::create_dir_all(&folder).ok()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).ok()?;
    }
    Some(folder)
}
