#ifndef EBS_NATIVE_EXTENT_MAP_H_
#define EBS_NATIVE_EXTENT_MAP_H_

#include <cstdint>

#include "source_file.h"
#include "status.h"

namespace ebs {

// Blocks [first, end) that are to be read, or that the file system never allocated.
struct Extent {
  uint64_t end_block = 0;
  bool is_hole = false;
};

// Where the holes of a source are, found as the reading gets there: a file may have millions.
// One thread at a time.
class ExtentMap {
 public:
  // Holes are looked for in regular files alone, and only once their dirty pages are on their way
  // to the disk: file systems have told of holes where data was waiting to be written. May take as
  // long as that writing. `file` must outlive the map.
  void Start(const SourceFile& file);

  // Finds the extent that `block` lies in, as far as it is known from there on. Blocks are asked
  // for in ascending order; `end_block` is the end of the file. ENODATA when the file is shorter
  // than it was: what is missing would look like a hole.
  Status Find(uint64_t block, Extent* extent);

 private:
  Status Discover(uint64_t block);
  Status DiscoverNothingMore(uint64_t block);
  void Distrust();

  const SourceFile* file_ = nullptr;
  uint64_t file_end_block_ = 0;
  Extent current_;
};

}  // namespace ebs

#endif  // EBS_NATIVE_EXTENT_MAP_H_
