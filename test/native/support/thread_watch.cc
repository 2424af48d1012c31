#include "thread_watch.h"

#include <sched.h>

#include <filesystem>
#include <fstream>
#include <system_error>

namespace ebs {
namespace {

std::string ReadLine(const std::filesystem::path& path) {
  std::string line;
  std::getline(std::ifstream(path), line);
  return line;
}

// proc(5): the state follows the name, which ends with the last parenthesis.
bool IsAsleep(const std::filesystem::path& task) {
  std::string stat = ReadLine(task / "stat");
  size_t name_end = stat.rfind(") ");
  return name_end != std::string::npos && stat.substr(name_end + 2, 1) == "S";
}

bool DoThreadsSleep(const std::string& name, size_t count) {
  size_t found = 0;
  std::error_code ended;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ended)) {
    if (ReadLine(task.path() / "comm") != name) continue;
    if (!IsAsleep(task.path())) return false;
    found++;
  }
  return found == count;
}

}  // namespace

// Seen twice: between two short waits, for a lock, a thread may be taken for one that waits.
void WaitUntilThreadsSleep(const std::string& name, size_t count) {
  for (int seen = 0; seen < 2;) {
    seen = DoThreadsSleep(name, count) ? seen + 1 : 0;
    sched_yield();
  }
}

}  // namespace ebs
