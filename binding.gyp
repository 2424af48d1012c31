{
  'variables': {
    # Where node-addon-api's headers are, relative to this file; native/build.mjs finds the place.
    'node_addon_api%': 'node_modules/node-addon-api',
    # 'address', 'thread' or 'undefined': a build under that sanitizer.
    'sanitize%': '',
    # 'true': warnings are errors. As in CI; a newer compiler's new warning shall not stop a user.
    'strict%': 'false',
  },
  'targets': [
    {
      'target_name': 'ebs_snapshot_stream',
      'sources': [
        'native/addon.cc',
        'native/block_destination.cc',
        'native/block_facts.cc',
        'native/block_inspector.cc',
        'native/block_reader.cc',
        'native/block_selection.cc',
        'native/block_writer.cc',
        'native/cpu_features.cc',
        'native/direct_io.cc',
        'native/extent_map.cc',
        'native/file_lock.cc',
        'native/hash_pool.cc',
        'native/js_values.cc',
        'native/read_session.cc',
        'native/receive_window.cc',
        'native/send_queue.cc',
        'native/sha256.cc',
        'native/sha256_arm.cc',
        'native/sha256_x86.cc',
        'native/slot_list.cc',
        'native/source_file.cc',
        'native/target_file.cc',
        'native/thread.cc',
        'native/write_queue.cc',
        'native/zero_scan.cc',
      ],
      'include_dirs': ['<(node_addon_api)'],
      'defines': [
        'NAPI_VERSION=9',
        'NAPI_DISABLE_CPP_EXCEPTIONS',
        # Calls into an environment that is being torn down fail; without this they end the process.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      'cflags': ['-O3', '-Wall', '-Wextra', '-fvisibility=hidden'],
      'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
      'cflags_cc': ['-std=c++20'],
      'xcode_settings': {
        'CLANG_CXX_LANGUAGE_STANDARD': 'c++20',
        'GCC_OPTIMIZATION_LEVEL': '3',
        'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
        'MACOSX_DEPLOYMENT_TARGET': '11.0',
        'WARNING_CFLAGS': ['-Wall', '-Wextra'],
      },
      'conditions': [
        ['strict=="true"', {
          'cflags': ['-Werror'],
          'xcode_settings': { 'GCC_TREAT_WARNINGS_AS_ERRORS': 'YES' },
        }],
        ['sanitize!=""', {
          'cflags': ['-fsanitize=<(sanitize)', '-fno-omit-frame-pointer', '-g'],
          'ldflags': ['-fsanitize=<(sanitize)'],
        }],
      ],
    },
  ],
}
