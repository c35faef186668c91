//! The control planes, built from Go modules with pinned versions and kept in the cache folder.

use crate::{cache, package::layout::sha256, process, workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Beside the programs: resource definitions.
const DEFINITIONS: &str = "definitions";

/// What is built in a folder of `tests/control-planes/`.
struct Program {
    folder: &'static str,
    /// Its file that says which versions of which modules.
    versions: &'static str,
    packages: &'static [&'static str],
    /// Definitions that come with its modules: the module, the path in it, and the folder they go to.
    definitions: &'static [(&'static str, &'static str, &'static str)],
}

const API_SERVER: Program = api_server("go.mod");

/// The oldest that clouds still offer.
const OLDER_API_SERVER: Program = api_server("older.mod");

const fn api_server(versions: &'static str) -> Program {
    Program {
        folder: "apiserver",
        versions,
        packages: &[".", "k8s.io/kubernetes/cmd/kubectl"],
        definitions: &[],
    }
}

const ISTIOD: Program = istiod("go.mod");

/// The oldest that Go's registry serves.
const OLDER_ISTIOD: Program = istiod("older.mod");

const fn istiod(versions: &'static str) -> Program {
    Program {
        folder: "istiod",
        versions,
        packages: &["istio.io/istio/pilot/cmd/pilot-discovery"],
        definitions: &[(
            "istio.io/istio",
            "manifests/charts/base/files/crd-all.gen.yaml",
            "istio",
        )],
    }
}

const ENVOY_GATEWAY: Program = envoy_gateway("envoy-gateway");

/// The oldest that `limpet render` has a flag for.
const OLDER_ENVOY_GATEWAY: Program = envoy_gateway("older-envoy-gateway");

const fn envoy_gateway(folder: &'static str) -> Program {
    Program {
        folder,
        versions: "go.mod",
        packages: &["github.com/envoyproxy/gateway/cmd/envoy-gateway"],
        definitions: &[
            (
                "sigs.k8s.io/gateway-api",
                "config/crd/standard",
                "gateway-api-standard",
            ),
            (
                "sigs.k8s.io/gateway-api",
                "config/crd/experimental",
                "gateway-api-experimental",
            ),
            (
                "github.com/envoyproxy/gateway",
                "charts/gateway-crds-helm/templates/generated",
                "envoy-gateway",
            ),
        ],
    }
}

/// Where the built programs are.
#[derive(Debug)]
pub(super) struct Programs {
    api_server: PathBuf,
    istiod: PathBuf,
    envoy_gateway: PathBuf,
}

impl Programs {
    /// Builds what is not there yet.
    ///
    /// # Errors
    /// There is no Go, or one of them does not compile.
    pub(super) fn built(older: bool) -> Result<Programs> {
        let (api_server, istiod, envoy_gateway) = if older {
            (OLDER_API_SERVER, OLDER_ISTIOD, OLDER_ENVOY_GATEWAY)
        } else {
            (API_SERVER, ISTIOD, ENVOY_GATEWAY)
        };
        Ok(Programs {
            api_server: api_server.built()?,
            istiod: istiod.built()?,
            envoy_gateway: envoy_gateway.built()?,
        })
    }

    pub(super) fn api_server(&self) -> PathBuf {
        self.api_server.join("apiserver")
    }

    pub(super) fn kubectl(&self) -> PathBuf {
        self.api_server.join("kubectl")
    }

    pub(super) fn istiod(&self) -> PathBuf {
        self.istiod.join("pilot-discovery")
    }

    pub(super) fn envoy_gateway(&self) -> PathBuf {
        self.envoy_gateway.join("envoy-gateway")
    }

    /// A folder of resource definitions.
    pub(super) fn definitions(&self, name: &str) -> PathBuf {
        let of = match name {
            "istio" => &self.istiod,
            _ => &self.envoy_gateway,
        };
        of.join(DEFINITIONS).join(name)
    }
}

impl Program {
    fn built(&self) -> Result<PathBuf> {
        let sources = workspace::root()
            .join("tests/control-planes")
            .join(self.folder);
        let mut all = Vec::new();
        let sums = self.versions.replace(".mod", ".sum");
        for name in [self.versions, &sums, "main.go"] {
            let file = sources.join(name);
            if file.exists() {
                all.extend(fs::read(file)?);
            }
        }
        let hash = sha256(&all);
        let version: String = hash.chars().take(12).collect();
        let folder = cache::folder(&format!("{}-{version}", self.folder))?;
        if !folder.exists() {
            needs_go()?;
            process::announce(format_args!("building {}, once: some minutes", self.folder));
            cache::fill_once(&folder, |aside| self.build(&sources, aside))?;
        }
        Ok(folder)
    }

    fn build(&self, sources: &Path, folder: &Path) -> Result<()> {
        let versions = format!("-modfile={}", self.versions);
        let mut build = Command::new("go");
        build
            .current_dir(sources)
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"])
            .arg(&versions)
            .arg("-o")
            .arg(folder.join("")) // with a slash: a folder
            .args(self.packages);
        process::run(&mut build)?;
        for (module, path, name) in self.definitions {
            let mut list = Command::new("go");
            list.current_dir(sources)
                .args(["list", "-m", &versions, "-f", "{{.Dir}}", module]);
            let from = Path::new(&process::output(&mut list)?).join(path);
            let to = folder.join(DEFINITIONS).join(name);
            fs::create_dir_all(&to)?;
            for file in definitions(&from)? {
                let text = fs::read_to_string(&file)?;
                let name = file.file_name().context("a definition has a name")?;
                // Of Envoy Gateway they are templates that say when, in lines of their own.
                let lines = text.lines().filter(|line| !line.starts_with("{{"));
                fs::write(to.join(name), lines.collect::<Vec<_>>().join("\n"))?;
            }
        }
        Ok(())
    }
}

fn definitions(from: &Path) -> Result<Vec<PathBuf>> {
    if from.is_file() {
        return Ok(vec![from.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in from
        .read_dir()
        .with_context(|| format!("no {}", from.display()))?
    {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("gateway.") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn needs_go() -> Result<()> {
    match Command::new("go").arg("version").output() {
        Ok(_) => Ok(()),
        Err(_) => bail!(
            "no Go: the control planes are compiled; install Go, the version that \
             tests/control-planes/*/go.mod names or newer, so that `go version` answers"
        ),
    }
}
