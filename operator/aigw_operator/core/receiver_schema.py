"""The JSON Schema of the receiver's configuration. Values only; it checks nothing.

Generated from `receiver/aigw_receiver/settings.py` by `make docs`; edit it there. The `title` of a definition says what
is expected. An integer is written without a fraction, and a pattern is for the whole text.
"""

import json
from typing import Final

from aigw_operator.core.model import Raw

SCHEMA: Final[Raw] = json.loads(r"""
{
 "$schema": "https://json-schema.org/draft/2020-12/schema",
 "title": "a mapping",
 "type": ["object", "null"],
 "additionalProperties": false,
 "properties": {
  "listen": {
   "title": "a mapping",
   "type": ["object", "null"],
   "additionalProperties": false,
   "properties": {
    "otlp_grpc": {
     "$ref": "#/$defs/addresses",
     "description": "OTLP/gRPC; any number of addresses (add 0.0.0.0:11800 for SkyWalking's senders)",
     "default": ["0.0.0.0:4317"]
    },
    "otlp_http": {
     "$ref": "#/$defs/address",
     "description": "OTLP/HTTP, protobuf and JSON",
     "default": "0.0.0.0:4318"
    },
    "http": {
     "$ref": "#/$defs/address",
     "description": "the page, the JSON API, and `/metrics` of the gateways",
     "default": "0.0.0.0:8080"
    },
    "telemetry": {
     "$ref": "#/$defs/address",
     "description": "the receiver's own `/metrics`, `/livez` and `/readyz`",
     "default": "0.0.0.0:8081"
    }
   }
  },
  "metrics": {
   "title": "a mapping",
   "type": ["object", "null"],
   "additionalProperties": false,
   "properties": {
    "admit": {
     "$ref": "#/$defs/names",
     "description": "metrics to take beside `gen_ai.*` and `mcp.*`: names, or prefixes that end in `*`",
     "default": []
    }
   }
  },
  "limits": {
   "title": "a mapping",
   "type": ["object", "null"],
   "additionalProperties": false,
   "properties": {
    "streams": {
     "$ref": "#/$defs/count",
     "description": "streams of all gateways; further ones are refused",
     "default": 200000
    },
    "streams_per_pod": {
     "$ref": "#/$defs/count",
     "description": "streams of one gateway pod; further ones are refused",
     "default": 20000
    },
    "pods": {
     "$ref": "#/$defs/count",
     "description": "gateway pods; further ones are refused",
     "default": 5000
    },
    "labels": {
     "$ref": "#/$defs/count",
     "description": "attributes of one data point; a point with more is refused",
     "default": 40
    },
    "label_length": {
     "$ref": "#/$defs/count",
     "description": "characters of a label value; a longer one becomes `other`",
     "default": 256
    },
    "name_length": {
     "$ref": "#/$defs/count",
     "description": "characters of the name of a metric, an attribute or a pod; what is longer is refused",
     "default": 256
    },
    "label_values": {
     "$ref": "#/$defs/count",
     "description": "different values of one label of one gateway; further ones become `other`",
     "default": 5000
    },
    "grpc_message": {
     "$ref": "#/$defs/size",
     "description": "size of an OTLP/gRPC message, after inflating",
     "default": "4MiB"
    },
    "http_body": {
     "$ref": "#/$defs/size",
     "description": "size of an OTLP/HTTP body, before and after inflating",
     "default": "20MiB"
    }
   }
  },
  "expiry": {
   "title": "a mapping",
   "type": ["object", "null"],
   "additionalProperties": false,
   "properties": {
    "missed_intervals": {"$ref": "#/$defs/count", "description": "export intervals that pass in silence", "default": 3},
    "default_interval": {
     "$ref": "#/$defs/duration",
     "description": "the export interval of a pod that has sent only once",
     "default": "60s"
    },
    "minimum_interval": {
     "$ref": "#/$defs/duration",
     "description": "no export interval is taken for shorter",
     "default": "1s"
    },
    "retention": {
     "$ref": "#/$defs/duration",
     "description": "how long an ended pod is remembered, so that it continues its series",
     "default": "1h"
    }
   }
  },
  "journal": {
   "title": "a mapping",
   "type": ["object", "null"],
   "additionalProperties": false,
   "properties": {
    "size": {
     "$ref": "#/$defs/size",
     "description": "size of the journal at which it is replaced by a snapshot",
     "default": "256MiB"
    }
   }
  },
  "prices": {
   "title": "a mapping",
   "type": ["object", "null"],
   "additionalProperties": false,
   "properties": {
    "file": {
     "$ref": "#/$defs/file",
     "description": "price book, in our format or SkyWalking's; read again when changed (default: the shipped one)"
    }
   }
  },
  "access_logs": {
   "title": "a mapping",
   "type": ["object", "null"],
   "additionalProperties": false,
   "properties": {
    "stdout": {
     "$ref": "#/$defs/switch",
     "description": "whether kept access logs are written to standard output, as lines of JSON",
     "default": true
    },
    "file": {
     "title": "a mapping",
     "type": ["object", "null"],
     "additionalProperties": false,
     "properties": {
      "path": {
       "$ref": "#/$defs/file",
       "description": "kept access logs are appended to this file as lines of JSON, too"
      },
      "size": {
       "$ref": "#/$defs/size",
       "description": "size at which the file becomes `PATH.1`, and a new one is begun",
       "default": "100MiB"
      },
      "keep": {"$ref": "#/$defs/count", "description": "older files that are kept", "default": 5}
     }
    },
    "store": {
     "title": "a mapping",
     "type": ["object", "null"],
     "additionalProperties": false,
     "properties": {
      "enabled": {
       "$ref": "#/$defs/switch",
       "description": "whether kept access logs can be searched under `/api/logs`",
       "default": true
      },
      "retention": {"$ref": "#/$defs/duration", "description": "how long they are kept there", "default": "168h"},
      "size": {
       "$ref": "#/$defs/size",
       "description": "and how large that may become; the oldest are dropped first",
       "default": "256MiB"
      }
     }
    },
    "forward": {
     "title": "a mapping",
     "type": ["object", "null"],
     "propertyNames": {
      "title": "names of lower case letters, digits and dashes",
      "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
     },
     "additionalProperties": {
      "title": "a mapping",
      "type": "object",
      "additionalProperties": false,
      "properties": {
       "endpoint": {
        "$ref": "#/$defs/endpoint",
        "description": "where kept access logs are sent over OTLP: `http(s)://HOST:PORT`, for HTTP with a path"
       },
       "protocol": {"$ref": "#/$defs/protocol", "description": "grpc or http", "default": "grpc"},
       "headers": {
        "$ref": "#/$defs/pairs",
        "description": "headers to send; a value `${NAME}` is that of the environment variable",
        "default": {}
       },
       "ca_file": {
        "$ref": "#/$defs/file",
        "description": "certificates to trust for `https://` (default: the system's)"
       },
       "timeout": {
        "$ref": "#/$defs/duration",
        "description": "how long one request may take",
        "default": "10s"
       },
       "compression": {"$ref": "#/$defs/compression", "description": "gzip or none", "default": "gzip"},
       "queue": {
        "$ref": "#/$defs/size",
        "description": "what may wait, in the data directory or else in memory",
        "default": "64MiB"
       },
       "attributes": {"$ref": "#/$defs/pairs", "description": "further attributes of the resource", "default": {}}
      },
      "required": ["endpoint"]
     }
    },
    "redact": {
     "title": "a mapping",
     "type": ["object", "null"],
     "additionalProperties": false,
     "properties": {
      "drop": {
       "$ref": "#/$defs/attributes",
       "description": "attributes that are left out; `body` is the text line",
       "default": []
      },
      "mask": {
       "$ref": "#/$defs/attributes",
       "description": "attributes whose value becomes `[redacted]`",
       "default": []
      }
     }
    },
    "rules": {
     "title": "a mapping",
     "type": ["object", "null"],
     "additionalProperties": false,
     "properties": {
      "errors": {
       "title": "a mapping",
       "type": ["object", "null"],
       "additionalProperties": false,
       "properties": {
        "enabled": {
         "$ref": "#/$defs/switch",
         "description": "whether LLM requests that failed are kept",
         "default": true
        },
        "status": {
         "$ref": "#/$defs/status",
         "description": "this status and every higher one",
         "default": 400
        },
        "flags": {
         "$ref": "#/$defs/flags",
         "description": "response flags of failures",
         "default": [
          "UF",
          "UH",
          "UO",
          "UC",
          "UR",
          "URX",
          "UT",
          "UPE",
          "UMSDR",
          "UDO",
          "NR",
          "NC",
          "LH",
          "LR",
          "DF",
          "DT",
          "SI",
          "DO",
          "OM",
          "NFCF"
         ]
        },
        "missing_status": {
         "$ref": "#/$defs/switch",
         "description": "whether a request that was not answered at all has failed",
         "default": true
        },
        "budget": {
         "$ref": "#/$defs/optional_count",
         "description": "records a minute that the rule keeps of each gateway; null: all"
        }
       }
      },
      "upstream_failure": {
       "title": "a mapping",
       "type": ["object", "null"],
       "additionalProperties": false,
       "properties": {
        "enabled": {
         "$ref": "#/$defs/switch",
         "description": "whether requests that failed on the way to the provider are kept",
         "default": true
        },
        "flags": {
         "$ref": "#/$defs/flags",
         "description": "response flags of these failures",
         "default": ["UF", "UH", "UC", "UR", "URX", "UT", "UPE", "UMSDR", "DF"]
        },
        "budget": {
         "$ref": "#/$defs/optional_count",
         "description": "records a minute that the rule keeps of each gateway; null: all"
        }
       }
      },
      "slow": {
       "title": "a mapping",
       "type": ["object", "null"],
       "additionalProperties": false,
       "properties": {
        "enabled": {
         "$ref": "#/$defs/switch",
         "description": "whether requests that took long are kept",
         "default": true
        },
        "llm": {
         "$ref": "#/$defs/duration",
         "description": "LLM requests that took this long",
         "default": "30s"
        },
        "mcp": {
         "$ref": "#/$defs/duration",
         "description": "MCP requests that took this long",
         "default": "10s"
        },
        "adaptive": {
         "$ref": "#/$defs/switch",
         "description": "whether LLM requests above the learned 99th percentile of their model are slow",
         "default": true
        },
        "at_least": {
         "$ref": "#/$defs/duration",
         "description": "nothing below this is slow, whatever was learned",
         "default": "1s"
        },
        "observations": {
         "$ref": "#/$defs/count",
         "description": "requests of a model before what was learned of it is used",
         "default": 1000
        },
        "half_life": {
         "$ref": "#/$defs/duration",
         "description": "after this time a request counts half in what is learned",
         "default": "6h"
        },
        "models": {
         "$ref": "#/$defs/count",
         "description": "models of all gateways that are learned",
         "default": 1000
        },
        "budget": {
         "$ref": "#/$defs/optional_count",
         "description": "records a minute that the rule keeps of each gateway; null: all"
        }
       }
      },
      "tokens": {
       "title": "a mapping",
       "type": ["object", "null"],
       "additionalProperties": false,
       "properties": {
        "enabled": {
         "$ref": "#/$defs/switch",
         "description": "whether LLM requests with many tokens are kept",
         "default": true
        },
        "total": {
         "$ref": "#/$defs/count",
         "description": "input and output tokens together: so many and more",
         "default": 10000
        },
        "budget": {
         "$ref": "#/$defs/optional_count",
         "description": "records a minute that the rule keeps of each gateway; null: all"
        }
       }
      },
      "mcp_errors": {
       "title": "a mapping",
       "type": ["object", "null"],
       "additionalProperties": false,
       "properties": {
        "enabled": {
         "$ref": "#/$defs/switch",
         "description": "whether MCP requests that failed are kept",
         "default": true
        },
        "status": {
         "$ref": "#/$defs/status",
         "description": "this status and every higher one",
         "default": 400
        },
        "flags": {
         "$ref": "#/$defs/flags",
         "description": "response flags of failures",
         "default": [
          "UF",
          "UH",
          "UO",
          "UC",
          "UR",
          "URX",
          "UT",
          "UPE",
          "UMSDR",
          "UDO",
          "NR",
          "NC",
          "LH",
          "LR",
          "DF",
          "DT",
          "SI",
          "DO",
          "OM",
          "NFCF"
         ]
        },
        "missing_status": {
         "$ref": "#/$defs/switch",
         "description": "whether a request that was not answered at all has failed",
         "default": true
        },
        "budget": {
         "$ref": "#/$defs/optional_count",
         "description": "records a minute that the rule keeps of each gateway; null: all"
        }
       }
      },
      "aborted": {
       "title": "a mapping",
       "type": ["object", "null"],
       "additionalProperties": false,
       "properties": {
        "enabled": {
         "$ref": "#/$defs/switch",
         "description": "whether requests whose client went away are kept",
         "default": true
        },
        "budget": {
         "$ref": "#/$defs/optional_count",
         "description": "records a minute that the rule keeps of each gateway; null: all"
        }
       }
      },
      "sample": {
       "title": "a mapping",
       "type": ["object", "null"],
       "additionalProperties": false,
       "properties": {
        "enabled": {
         "$ref": "#/$defs/switch",
         "description": "whether ordinary requests are sampled",
         "default": true
        },
        "rate": {"$ref": "#/$defs/rate", "description": "the share that is kept, such as 0.01"},
        "per_minute": {
         "$ref": "#/$defs/optional_count",
         "description": "or about so many a minute of each gateway"
        },
        "budget": {
         "$ref": "#/$defs/optional_count",
         "description": "records a minute that the rule keeps of each gateway; null: all"
        }
       },
       "anyOf": [
        {"properties": {"per_minute": {"type": "null"}}},
        {"properties": {"rate": {"type": "null"}}}
       ]
      }
     }
    }
   }
  },
  "page": {
   "title": "a mapping",
   "type": ["object", "null"],
   "additionalProperties": false,
   "properties": {
    "rollup": {
     "title": "a mapping",
     "type": ["object", "null"],
     "additionalProperties": false,
     "properties": {
      "retention": {
       "$ref": "#/$defs/duration",
       "description": "how long it is kept; the older, the coarser",
       "default": "168h"
      },
      "size": {
       "$ref": "#/$defs/size",
       "description": "and how large that may become (in memory 2MiB); the oldest is dropped first",
       "default": "256MiB"
      }
     }
    },
    "prometheus": {
     "title": "a mapping",
     "type": ["object", "null"],
     "additionalProperties": false,
     "properties": {
      "url": {
       "$ref": "#/$defs/endpoint",
       "description": "a Prometheus that scrapes this receiver, `http(s)://HOST:PORT[/PATH]`, for longer ranges"
      },
      "headers": {
       "$ref": "#/$defs/pairs",
       "description": "headers of each request to it; a value `${NAME}` is read from the environment",
       "default": {}
      },
      "ca_file": {
       "$ref": "#/$defs/file",
       "description": "certificates to trust for `https://` (default: the system's)"
      },
      "timeout": {
       "$ref": "#/$defs/duration",
       "description": "how long one request to it may take",
       "default": "10s"
      }
     }
    }
   }
  },
  "log": {
   "title": "a mapping",
   "type": ["object", "null"],
   "additionalProperties": false,
   "properties": {
    "level": {"$ref": "#/$defs/level", "description": "debug, info, warning or error", "default": "info"}
   }
  },
  "data_dir": {
   "$ref": "#/$defs/directory",
   "description": "where counts are kept over a restart; without it they are kept in memory only"
  }
 },
 "$defs": {
  "address": {
   "title": "HOST:PORT",
   "type": "string",
   "pattern": "^(\\[[0-9a-fA-F:.%]+\\]|[^:\\[\\]]*):\\d{1,5}$"
  },
  "addresses": {
   "title": "a list of HOST:PORT",
   "type": "array",
   "minItems": 1,
   "items": {"type": "string", "pattern": "^(\\[[0-9a-fA-F:.%]+\\]|[^:\\[\\]]*):\\d{1,5}$"}
  },
  "count": {"title": "a whole number of at least 1", "type": "integer", "minimum": 1},
  "size": {
   "title": "a size such as 4MiB, or a number of bytes",
   "anyOf": [
    {"type": "integer", "minimum": 1},
    {"type": "string", "pattern": "^(?=.*[1-9])\\d+ ?(|KiB|MiB|GiB)$"}
   ]
  },
  "duration": {
   "title": "a duration such as 500ms, 60s, 5m or 1h",
   "type": "string",
   "pattern": "^(?=.*[1-9])\\d+(\\.\\d+)?(ms|s|m|h)$"
  },
  "names": {
   "title": "a list of metric names, or of prefixes that end in *",
   "type": "array",
   "items": {"type": "string", "pattern": "^[\\s\\S]+$"}
  },
  "attributes": {
   "title": "a list of names of attributes",
   "type": "array",
   "items": {"type": "string", "pattern": "^[\\s\\S]+$"}
  },
  "switch": {"title": "true or false", "type": "boolean"},
  "status": {"title": "an HTTP status from 100 to 599", "type": "integer", "minimum": 100, "maximum": 599},
  "flags": {
   "title": "a list of response flags such as UF and NR",
   "type": "array",
   "items": {"type": "string", "pattern": "^[A-Z]{2,8}$"}
  },
  "optional_count": {
   "title": "a whole number of at least 1, or null",
   "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]
  },
  "rate": {
   "title": "a number above 0 and up to 1, or null",
   "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {"type": "null"}]
  },
  "pairs": {
   "title": "a mapping of names to texts",
   "type": "object",
   "propertyNames": {"pattern": "^[\\s\\S]+$"},
   "additionalProperties": {"type": "string", "pattern": "^[\\s\\S]*$"}
  },
  "endpoint": {
   "title": "http://HOST:PORT or https://HOST:PORT",
   "type": "string",
   "pattern": "^https?://[^/\\s]+:\\d{1,5}(/\\S*)?$"
  },
  "protocol": {"title": "grpc or http", "enum": ["grpc", "http"]},
  "compression": {"title": "gzip or none", "enum": ["gzip", "none"]},
  "directory": {"title": "the path of a directory", "type": "string", "pattern": "^[\\s\\S]+$"},
  "file": {"title": "the path of a file", "type": "string", "pattern": "^[\\s\\S]+$"},
  "level": {"title": "debug, info, warning or error", "enum": ["debug", "info", "warning", "error"]}
 }
}
""")
