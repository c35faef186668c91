//! A wasm module, compiled and linked once.

use crate::hostcalls;
use crate::vm::Host;
use std::fmt;
use wasmtime::{Config, Engine, InstancePre, Linker, OptLevel};

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
        let mut config = Config::new();
        config.cranelift_opt_level(OptLevel::Speed);
        let engine = Engine::new(&config).map_err(compile_error)?;
        let module = wasmtime::Module::new(&engine, bytes).map_err(compile_error)?;
        for (wanted, names) in MUST_EXPORT {
            if !names.iter().any(|name| module.get_export(name).is_some()) {
                return Err(ModuleError::Export(wanted));
            }
        }
        let mut linker = Linker::new(&engine);
        hostcalls::define(&mut linker, &module).map_err(link_error)?;
        let pre = linker.instantiate_pre(&module).map_err(link_error)?;
        Ok(Self { pre })
    }

    pub(crate) fn pre(&self) -> &InstancePre<Host> {
        &self.pre
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
