//! `cargo xtask browser`: what a user sees, in a real Chromium.

use crate::apt::Apt;
use crate::{cache, demo, envoy, process, workspace};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Chromium and its driver.
struct Browser {
    chromium: PathBuf,
    driver: PathBuf,
    /// The folders of libraries that came with it, as in `LD_LIBRARY_PATH`; `None`: the system's.
    libraries: Option<String>,
}

/// The tests of `tests/chromium.rs` and `tests/page.rs`; pictures of the page go to `SCREENSHOTS`.
///
/// # Errors
/// When the set-up or a test fails.
pub(crate) fn run() -> Result<()> {
    let limpet = demo::limpet()?;
    let envoy = envoy::envoy()?;
    let pictures = match std::env::var_os("SCREENSHOTS") {
        Some(named) => PathBuf::from(named),
        None => cache::folder("screenshots")?,
    };
    std::fs::create_dir_all(&pictures)?;
    let browser = browser()?;
    process::announce("pages in Chromium");
    let mut test = process::cargo();
    test.args(["test", "--workspace", "--test", "all", "--"])
        .args(["chromium::", "page::", "--ignored", "--test-threads", "2"])
        .env("LIMPET", limpet)
        .env("ENVOY", envoy)
        .env("SCREENSHOTS", &pictures)
        .env("CHROMIUM", browser.chromium)
        .env("CHROMEDRIVER", browser.driver);
    if let Some(libraries) = browser.libraries {
        test.env("LD_LIBRARY_PATH", libraries);
    }
    process::run(&mut test)?;
    process::announce(format_args!("pictures of the page: {}", pictures.display()));
    Ok(())
}

/// `$CHROMIUM` with `$CHROMEDRIVER`, else Debian's, which are only unpacked.
fn browser() -> Result<Browser> {
    if let (Some(chromium), Some(driver)) = (
        workspace::named_in("CHROMIUM")?,
        workspace::named_in("CHROMEDRIVER")?,
    ) {
        return Ok(Browser {
            chromium,
            driver,
            libraries: None,
        });
    }
    let folder = cache::folder("debian-chromium")?;
    if !folder.exists() {
        process::announce("fetching Debian's Chromium, once");
        let apt = Apt::update()
            .context("a browser can also be named: CHROMIUM=/path CHROMEDRIVER=/path")?;
        let packages = ["chromium", "chromium-common", "chromium-driver"];
        cache::fill_once(&folder, |aside| apt.unpack(&packages, aside))?;
    }
    let libraries = folder.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    let libraries = libraries.display();
    Ok(Browser {
        chromium: folder.join("usr/lib/chromium/chromium"),
        driver: folder.join("usr/bin/chromedriver"),
        libraries: Some(format!("{libraries}:{libraries}/pulseaudio")),
    })
}
