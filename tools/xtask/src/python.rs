//! The Python clients, in virtual environments below `target/`, made anew when their requirements change.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::process::{Outcome, exists, root, step, target_dir};

/// The interpreter of the environment that most tests run in: boto3, AWS CLI, SageMaker SDK v2.
pub fn environment() -> Outcome<PathBuf> {
    made_of("requirements.txt", "venv", &[], "boto3, AWS CLI, SageMaker SDK v2")
}

/// The interpreter of the environment with the SageMaker SDK v3, which cannot be in one with v2. What it says that it
/// depends on is over a gigabyte: the file lists what it needs here, and nothing else is installed.
pub fn environment_v3() -> Outcome<PathBuf> {
    made_of("requirements-v3.txt", "venv-v3", &["--no-deps"], "SageMaker SDK v3")
}

/// An environment that holds everything in a file of requirements; made once for each state of that file.
fn made_of(file: &str, folder: &str, how: &[&str], what: &str) -> Outcome<PathBuf> {
    let requirements = root().join("tests/python").join(file);
    let wanted = fs::read_to_string(&requirements)
        .map_err(|error| format!("cannot read {}: {error}", requirements.display()))?;
    let folder = target_dir().join(folder);
    let python = folder.join("bin").join("python");
    let stamp = folder.join("stoa-requirements.txt");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    let base = interpreter()?;
    step("create Python environment", Command::new(base).args(["-m", "venv", "--clear"]).arg(&folder)).map_err(
        |error| format!("{error}\nPython's venv module is needed: install it with `apt-get install python3-venv`"),
    )?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(how);
    install.arg("-r").arg(&requirements);
    step(&format!("install the Python clients ({what}; a few minutes the first time)"), &mut install)?;
    fs::write(&stamp, wanted).map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
    Ok(python)
}

fn interpreter() -> Outcome<&'static str> {
    const NEW_ENOUGH: &str = "import sys; sys.exit(0 if sys.version_info >= (3, 9) else 1)";
    for name in ["python3", "python"] {
        let mut probe = Command::new(name);
        if exists(name, "--version") && probe.args(["-c", NEW_ENOUGH]).status().is_ok_and(|status| status.success()) {
            return Ok(name);
        }
    }
    Err("Python 3.9 or newer is needed for the clients: install it with `apt-get install python3 python3-venv`"
        .to_owned())
}
