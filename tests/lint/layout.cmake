cmake_minimum_required(VERSION 3.25)
# Every C++ file is named in CMakeLists.txt (a test that is not built tests nothing), every room has
# its README, the top level holds what the layout says, and no file names this machine's folders.
file(READ "${ROOT}/CMakeLists.txt" build)
file(GLOB_RECURSE files RELATIVE "${ROOT}"
  "${ROOT}/relay/*.cpp" "${ROOT}/buffer/*.cpp" "${ROOT}/upstream/*.cpp" "${ROOT}/api/*.cpp" "${ROOT}/tests/*.cpp")
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  string(FIND "${build}" "${name}" at)
  if(at EQUAL -1)
    message(SEND_ERROR "${file} is in no target of CMakeLists.txt")
  endif()
endforeach()

foreach(room buffer relay/protocol relay/http relay/ingest relay/filter relay/scrub upstream api api/facts api/grouping api/digest api/query api/rest)
  if(NOT EXISTS "${ROOT}/${room}/README.md")
    message(SEND_ERROR "${room}/README.md is missing")
  endif()
endforeach()

execute_process(COMMAND git -C "${ROOT}" ls-tree --name-only HEAD OUTPUT_VARIABLE top RESULT_VARIABLE not_git)
if(not_git EQUAL 0)
  string(REPLACE "\n" ";" top "${top}")
  set(known CMakeLists.txt CMakePresets.json LICENSE README.md api buffer docs etc main.cpp relay systemd tests upstream
      .ci .clang-format .clang-tidy .github .gitignore)
  foreach(entry IN LISTS top)
    if(entry AND NOT entry IN_LIST known)
      message(SEND_ERROR "${entry} does not belong at the top level")
    endif()
  endforeach()
endif()
