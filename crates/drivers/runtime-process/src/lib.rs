//! Built-in images as sandboxed processes.
