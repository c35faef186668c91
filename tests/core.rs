//! What runs on the native core alone.
