//! A wasm module, compiled and linked once.

use crate::host::Host;
use crate::hostcalls;
use std::fmt;
use std::path::Path;
use std::time::Duration;
use wasmtime::{Config, Engine, InstancePre, Linker, OptLevel};

/// How often a running guest looks whether its time is up.
pub(crate) const EPOCH: Duration = Duration::from_millis(100);

/// A compiled module; cloning shares it.
#[derive(Clone)]
pub struct Module {
    pre: InstancePre<Host>,
}

/// Why bytes are not a module that can run here.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Not a wasm module, or one that needs what this host lacks.
    #[error("the module does not compile: {0}")]
    Compile(String),
    /// The module imports something that is not in proxy-wasm 0.2.1.
    #[error("the module does not link: {0}")]
    Link(String),
    /// The module does not export what a proxy-wasm module must.
    #[error("the module exports no {0:?}, which a proxy-wasm 0.2 module must")]
    Export(&'static str),
}

/// What every module must export, each group with one of its names.
const MUST_EXPORT: [(&str, &[&str]); 4] = [
    ("memory", &["memory"]),
    (
        "proxy_abi_version_0_2_1",
        &["proxy_abi_version_0_2_0", "proxy_abi_version_0_2_1"],
    ),
    (
        "proxy_on_memory_allocate",
        &["proxy_on_memory_allocate", "malloc"],
    ),
    ("proxy_on_context_create", &["proxy_on_context_create"]),
];

impl Module {
    /// Compiles the bytes of a `.wasm` file and resolves its imports.
    ///
    /// # Errors
    ///
    /// [`ModuleError`] says what is wrong with them.
    pub fn compile(bytes: &[u8]) -> Result<Self, ModuleError> {
        let engine = engine(false)?;
        let module = wasmtime::Module::new(&engine, bytes).map_err(compile_error)?;
        Self::link(&engine, &module)
    }

    /// The same, slower: what the guest does is counted, see [`Engine::guest_work`](crate::Engine::guest_work).
    ///
    /// # Errors
    ///
    /// As [`Module::compile`].
    pub fn compile_counting(bytes: &[u8]) -> Result<Self, ModuleError> {
        let engine = engine(true)?;
        let module = wasmtime::Module::new(&engine, bytes).map_err(compile_error)?;
        Self::link(&engine, &module)
    }

    /// The same as [`Module::compile`], by way of `kept`: machine code that an earlier call left there is taken
    /// instead of compiling, and left there otherwise.
    ///
    /// The caller names the file after a digest of `bytes`, in a folder that only this user
    /// can write to: what stands in it is run. Code of another wasmtime or for another
    /// processor is not taken (wasmtime checks both).
    ///
    /// # Errors
    ///
    /// As [`Module::compile`]; a file that cannot be read or written is none.
    pub fn compile_kept(bytes: &[u8], kept: &Path) -> Result<Self, ModuleError> {
        let engine = engine(false)?;
        let found = std::fs::read(kept).ok();
        if let Some(module) = found.and_then(|code| trust(&engine, &code)) {
            return Self::link(&engine, &module);
        }
        let module = wasmtime::Module::new(&engine, bytes).map_err(compile_error)?;
        if let Ok(code) = module.serialize() {
            keep(kept, &code);
        }
        Self::link(&engine, &module)
    }

    fn link(engine: &Engine, module: &wasmtime::Module) -> Result<Self, ModuleError> {
        for (wanted, names) in MUST_EXPORT {
            if !names.iter().any(|name| module.get_export(name).is_some()) {
                return Err(ModuleError::Export(wanted));
            }
        }
        let mut linker = Linker::new(engine);
        hostcalls::define(&mut linker, module).map_err(link_error)?;
        let pre = linker.instantiate_pre(module).map_err(link_error)?;
        Ok(Self { pre })
    }

    pub(crate) fn pre(&self) -> &InstancePre<Host> {
        &self.pre
    }
}

fn engine(counts: bool) -> Result<Engine, ModuleError> {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed);
    config.epoch_interruption(true);
    config.consume_fuel(counts);
    let engine = Engine::new(&config).map_err(compile_error)?;
    count_epochs(&engine).map_err(|error| ModuleError::Compile(error.to_string()))?;
    Ok(engine)
}

/// Lets time go by for the guests of `engine`, for as long as there is one.
fn count_epochs(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let count = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(EPOCH);
        }
    };
    let thread = std::thread::Builder::new().name("epochs".to_owned());
    thread.spawn(count).map(drop)
}

/// Machine code as a module; `None` if it is another wasmtime's.
fn trust(engine: &Engine, code: &[u8]) -> Option<wasmtime::Module> {
    #[expect(
        unsafe_code,
        reason = "wasmtime cannot prove what bytes of machine code do: the caller of \
                  `compile_kept` vouches that nobody else could write them"
    )]
    // SAFETY: see above; wasmtime itself checks version, settings and processor.
    let module = unsafe { wasmtime::Module::deserialize(engine, code) };
    module.ok()
}

/// Writes beside and moves into place, so that nobody reads half a file. A file that cannot be
/// written costs the next start some time and nothing else.
fn keep(path: &Path, code: &[u8]) {
    let next = path.with_extension(format!("{}.next", std::process::id()));
    if std::fs::write(&next, code).is_ok() {
        drop(std::fs::rename(&next, path));
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Module(..)")
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn compile_error(error: wasmtime::Error) -> ModuleError {
    ModuleError::Compile(format!("{error:#}"))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn link_error(error: wasmtime::Error) -> ModuleError {
    ModuleError::Link(format!("{error:#}"))
}
