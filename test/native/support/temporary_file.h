#ifndef EBS_TEST_NATIVE_SUPPORT_TEMPORARY_FILE_H_
#define EBS_TEST_NATIVE_SUPPORT_TEMPORARY_FILE_H_

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace ebs {

// A file with `content` that is removed in the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content) {
    path_ = std::filesystem::temp_directory_path() / "ebs-snapshot-stream-XXXXXX";
    int descriptor = mkstemp(path_.data());
    if (descriptor < 0) abort();
    for (size_t done = 0; done < content.size();) {
      ssize_t size = write(descriptor, content.data() + done, content.size() - done);
      if (size <= 0) abort();
      done += static_cast<size_t>(size);
    }
    close(descriptor);
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace ebs

#endif  // EBS_TEST_NATIVE_SUPPORT_TEMPORARY_FILE_H_
