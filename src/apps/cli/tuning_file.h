// What `tern tune` measured on the GPUs of this machine: a JSON file in the user's cache folder,
//
//   {"format": 1, "adapters": {"<vendor, architecture, device, driver>": {"<work>": [numbers of the shape]}}}
//
// A new driver is another adapter, because it may compile otherwise. What a kernel does not offer is passed over when
// plans are made, so that a file of another version does no harm.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "graph/target.h"

namespace tern::cli {

using Tunings = std::map<std::string, graph::Tuning>;  // by graph::Target::adapter

/// ~/.cache/tern/gpu_tuning.json, or where XDG_CACHE_HOME says.
std::string default_tuning_path();

/// Empty where there is no such file. Errors: kInvalidFile for one that is something else.
Result<Tunings> read_tunings(const std::string& path);
/// Errors: kNotFound where it cannot be written; the file that there was stays then.
Result<void> write_tunings(const std::string& path, const Tunings& tunings);

}  // namespace tern::cli
